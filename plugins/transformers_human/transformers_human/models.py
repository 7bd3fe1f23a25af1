"""Models of transformers: from a folder, from its cache, or, where that is allowed, from the internet."""

from pathlib import Path
from typing import Any

from toolkit.doors import shortened
from toolkit.structures import InputError, MissingWeightsError


def load(kind: str, name: str, download: bool) -> Any:
    """A model or a processor.

    Args:
        kind: its class in transformers.
        name: folder, or a name of the Hugging Face Hub.
        download: whether it may be loaded from there.

    Raises:
        InputError: transformers is not installed, or what is there is something else.
        MissingWeightsError: it is not there.
    """
    try:
        import transformers
        factory = getattr(transformers, kind)
    except (ImportError, AttributeError) as error:
        raise InputError(f'transformers of version 4.48 or newer is needed ({error}): pip install "transformers>=4.48"') from error
    try:
        return factory.from_pretrained(name, local_files_only=not download)
    except OSError as error:
        if Path(name).is_dir():
            what = f'cannot be used as {kind}: is it a folder into which the whole of it was saved?'
        elif download:
            what = 'cannot be loaded from the internet; is the name right, and is there a connection?'
        else:
            what = ('no such folder, and no model of that name in the cache of transformers. Load it once with download=True, or name '
                    'a folder into which it was saved')
        raise MissingWeightsError(f'{name}: {what} ({shortened(error)})') from error
    except (ValueError, RuntimeError) as error:
        raise InputError(f'{name}: cannot be used as {kind} ({shortened(error)})') from error
