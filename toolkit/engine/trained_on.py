"""What a run was trained on, as the config in its checkpoint tells, which may be of anybody."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from toolkit.clips.clip import Clip
from toolkit.datasets.footage import DEFAULT_SCALE
from toolkit.datasets.windows import POOL, ClipWindows
from toolkit.doors import parsing, shortened
from toolkit.structures import InputError

MOST_PIXELS = 4096 * 4096
FRAME_SIZE = '_frame_size'
"""Key of the config in a checkpoint: (H, W) of the frames it was trained on; None for what shall generate at the size of the clips."""
STYLE = 'openpose_black'
TIME = '%Y-%m-%d %H:%M:%S'
"""How a checkpoint says when it was written."""
CHOICE = tuple(key for key in POOL if key != 'synthetic')
"""What the config of a data set says of the frames that it takes."""


def data_sets(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The data sets that a run trains on, at any depth: in place of one that holds others (``a`` and ``b``, ``datasets``) those.

    Args:
        config: of the run.

    Returns:
        Their configs; each with the ``size`` of the one that holds it, unless it has one of its own.
    """
    loader = config.get('train_dataloader')
    return list(_innermost(loader.get('dataset') if isinstance(loader, Mapping) else None, None))


def _innermost(dataset: Any, size: Any) -> Iterator[dict[str, Any]]:
    options = dict(dataset) if isinstance(dataset, Mapping) else dict(root=dataset)
    size, several = options.get('size') or size, options.get('datasets') or ()
    several = several.values() if isinstance(several, Mapping) else several
    inner = [one for one in (options.get('a'), options.get('b'), options.get('dataset'), *several) if isinstance(one, (str, Mapping))]
    if not inner:
        yield dict(options, size=size)
    for one in inner:
        yield from _innermost(one, size)


def frame_size(config: Mapping[str, Any], source: str | Path) -> tuple[int, int] | None:
    """Size (H, W) of the frames a run was trained on, the largest of several; None where its config leaves it to the clips.

    Args:
        config: of the run.
        source: its checkpoint.

    Raises:
        InputError: what is no size, or larger than any picture that is generated.
    """
    with parsing(source, 'the config in it is damaged'):
        said = [_said_size(dataset) for dataset in data_sets(config)]
    sizes = [config[FRAME_SIZE]] if FRAME_SIZE in config else said
    for size in filter(None, sizes):
        if not isinstance(size, (list, tuple)) or len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size) or \
                size[0] * size[1] > MOST_PIXELS:
            raise InputError(f'{source}: the config in it is damaged: it was trained on frames of {shortened(size)}')
    return _largest([tuple(size) for size in sizes if size])


def _said_size(dataset: Mapping[str, Any]) -> Any:
    """The size that the config of a data set gives its frames; None where that depends on the clips."""
    synthetic = dataset.get('synthetic')
    if dataset['size'] or dataset.get('pixels') or synthetic is None:
        return dataset['size']
    return synthetic.get('height', 384), synthetic.get('width', 256)


def _largest(sizes: list[tuple[int, int]]) -> tuple[int, int] | None:
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def built_size(dataset: Dataset) -> tuple[int, int] | None:
    """Size (H, W) of the frames of a data set, the largest of those that it holds; None where it does not tell."""
    parts = getattr(dataset, 'parts', None)
    inner = [*(parts.values() if isinstance(parts, Mapping) else ()), *(getattr(dataset, name, None) for name in ('a', 'b', 'windows'))]
    sizes = [size for one in inner if one is not None and (size := built_size(one))]
    own = getattr(dataset, 'size', None)
    return _largest(sizes) or (own if isinstance(own, tuple) else None)


def pose_style(config: Mapping[str, Any]) -> str:
    """Style of the stick figures that a run is trained on.

    Raises:
        InputError: its data sets draw them in several.
    """
    styles = {dataset.get('pose_style') or STYLE for dataset in data_sets(config)} or {STYLE}
    if len(styles) > 1:
        raise InputError(f'the data sets of the training draw stick figures in several styles ({", ".join(sorted(styles))}), and '
                         f'generation draws them in one: give all data sets the same pose_style, and train anew')
    return styles.pop()


def reference_scale(config: Mapping[str, Any]) -> int:
    """Size of the references' pictures in sizes of the frames, the largest that a run is trained with."""
    references = [dataset['references'] for dataset in data_sets(config) if isinstance(dataset.get('references'), Mapping)]
    return max((given.get('scale') or DEFAULT_SCALE for given in references), default=DEFAULT_SCALE)


def trained_frames(meta: Mapping[str, Any], dataset: Any, items: Iterable[int], most: int | None = None) -> dict[str, int]:
    """How many of the frames that a test measures a run was trained on, as far as that can be known: the folders that its config names
    are here, and their clips are older than its checkpoint. A file of what generates alone has no time: it comes from elsewhere.

    Args:
        meta: of the checkpoint.
        dataset: that is tested on. One without ``clip_frames`` does not tell its frames, and none are found.
        items: of that data set.
        most: of each clip only its first frames are measured; None for all.

    Returns:
        Folder of each clip with such frames -> how many.
    """
    measured: dict[Path, set[int]] = {}
    config, end = meta.get('config'), _time(meta)
    for item in items if isinstance(config, Mapping) and end is not None and hasattr(dataset, 'clip_frames') else ():
        clip, frames = dataset.clip_frames(item)
        if (clip.folder / 'manifest.json').stat().st_mtime < end:
            measured.setdefault(clip.folder.resolve(), set()).update(frames[:most])
    found = Counter()
    for folder, frames in _frames_in_use(config, measured) if measured else ():
        found[str(folder)] += len(frames & measured[folder])
        measured[folder] -= frames
    return {folder: count for folder, count in found.items() if count}


def _time(meta: Mapping[str, Any]) -> float | None:
    """When a checkpoint was written, in seconds; None where it does not say so."""
    try:
        return time.mktime(time.strptime(meta['time'], TIME)) + 1
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def chosen(options: Mapping[str, Any]) -> list[tuple[Clip, np.ndarray]]:
    """What a run took of the clips that are there now.

    Args:
        options: of one of its :func:`data_sets`.

    Returns:
        Its clips, and which of their frames, (N,) bool.

    Raises:
        TypeError, ValueError, AttributeError: other clips than when the run was trained, or no such options now.
    """
    windows = ClipWindows(**{key: options[key] for key in CHOICE if key in options}, window=1, size=(1, 1), skip_empty=False)
    return list(zip(windows.clips, windows.allowed))


def _frames_in_use(config: Mapping[str, Any], folders: Iterable[Path]) -> Iterator[tuple[Path, set[int]]]:
    """Which frames of the clips in these folders each data set of a run takes. Data sets that are elsewhere are not read."""
    for options in data_sets(config):
        root = options.get('root')
        with suppress(TypeError, ValueError, AttributeError):  # other clips than when the run was trained, or no such options now
            if not isinstance(root, (str, Path)) or not any(folder.is_relative_to(Path(root).resolve()) for folder in folders):
                continue
            for clip, allowed in chosen(options):
                if clip.folder.resolve() in folders:
                    yield clip.folder.resolve(), set(np.flatnonzero(allowed).tolist())
