"""The tools and configs that come with the toolkit, and configs by name.

In the repository they lie beside the package, in a wheel inside of it.
"""

import difflib
from functools import cache
from pathlib import Path

from toolkit.structures import InputError

PACKAGE = Path(__file__).resolve().parent
HOME = PACKAGE if (PACKAGE / 'configs').is_dir() else PACKAGE.parent
"""The folder that holds the two."""
TOOLS, CONFIGS = HOME / 'tools', HOME / 'configs'
PREFIX = 'hvt::'
"""Before the name of a config of the toolkit, where a file of the user could be meant; in ``_base_`` always. Also before a checkpoint
that comes with the toolkit, such as :data:`PRETRAINED`."""
PRETRAINED = f'{PREFIX}pretrained/textured.safetensors'
"""The generator that comes with the toolkit, for people that it never saw."""


INDEX = PACKAGE / 'pretrained' / 'model-index.yml'
"""The trained models that come with the toolkit: name, config, file, sha256 of the file, what was measured."""


def find_packaged(path: str | Path) -> Path:
    """A file of the package for ``hvt::NAME``, and for the name of a model of :data:`INDEX` where no file has it; any other path as it
    is."""
    text = str(path)
    if text.startswith(PREFIX):
        return PACKAGE / text.removeprefix(PREFIX)
    if text.isidentifier() and not Path(text).exists() and (model := model_index().get(text)):
        return INDEX.with_name(model['Weights'])
    return Path(path)


@cache
def model_index() -> dict[str, dict]:
    """The entries of :data:`INDEX` by name, in the form of OpenMMLab's model indices."""
    import yaml
    return {model['Name']: model for model in yaml.safe_load(INDEX.read_text('utf-8'))['Models']}


def config_names() -> list[str]:
    """Names of the configs that can be trained, for example ``own/video``."""
    names = (path.relative_to(CONFIGS).with_suffix('').as_posix() for path in CONFIGS.rglob('*.py'))
    return sorted(name for name in names if not name.startswith(('_base_/', 'benchmarks/')))


def find_config(name: str | Path) -> Path:
    """The file of a config.

    Args:
        name: a file, with or without ``.py``; or, where there is no such file, the name of a config of the toolkit, such as
            ``stage2_pix2pixhd`` or ``configs/own/video.py``; ``hvt::NAME`` always is one of the toolkit.

    Raises:
        InputError: there is none, with near names.
    """
    text = str(name)
    own, stem = not text.startswith(PREFIX), text.removeprefix(PREFIX).removeprefix('configs/').removesuffix('.py')
    path, inside = Path(text), CONFIGS / f'{stem}.py'
    found = [path, Path(f'{text}.py')] if own else []
    found += [inside] if inside.is_relative_to(CONFIGS) and '..' not in inside.parts else []
    for file in found:
        if file.is_file():
            return file
    beside = [p.name for p in path.parent.glob('*.py')] if own and path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, beside, n=2, cutoff=.6)
    near = near or [known for known in config_names() if known.endswith(f'/{stem}')]
    near = near or difflib.get_close_matches(stem, config_names(), n=3, cutoff=.6)
    hint = f' Did you mean {" or ".join(map(repr, near))}?' if near else ' tools/list_configs.py shows those of the toolkit.'
    raise InputError(f'config {name} does not exist.{hint}')
