"""The table of fields: every key that a sample, an item or a mini-batch may hold, stated once.

A field says what kind of thing it is. How it is read, flipped, resized, put into a tensor, cut in time and brought to a network's range
follows from that, everywhere.

========= ============================ ================================== =============================================================
kind      sample (numpy)               item (tensor)                      at a network
========= ============================ ================================== =============================================================
picture   (..., H, W, 3) uint8         (..., 3, H, W) uint8               [-1, 1]
map       (..., H, W[, C]) uint8       (..., C, H, W) uint8               [0, 1]
labels    (..., H, W) uint8            (..., 1, H, W) uint8               as they are: numbers that are never mixed
pose      (..., 18, 3) float32         (..., 18, 3) float32               as they are, in pixels
code      numbers                      numbers                            as they are; moving pictures does not change them
meta      numbers, texts               numbers, texts                     as they are: what is said about an item
========= ============================ ================================== =============================================================

``...`` is T for the frames of a window, (T, K) for their references and nothing for the content frame. A key that no field describes is
passed on as it is; where that could be wrong, it is an error.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from toolkit.plugins import load_plugins
from toolkit.registry import MODELS, did_you_mean
from toolkit.skeletons import MIRROR_PART
from toolkit.structures import InputError

FRAME, CONTENT, ITEM = 'frame', 'content', 'item'
KINDS = ('picture', 'map', 'labels', 'pose', 'code', 'meta')
PICTURES = KINDS[:3]
"""Kinds that have a height and a width."""
TRUTH = 'truth_'
"""Before the key of a field: the same of the true result of a transfer."""


@dataclass(frozen=True)
class Field:
    """What stands under a key.

    Attributes:
        name: the key, for frames of a window or once an item; also the folder of a prepared clip.
        kind: see the module.
        source: 'stored' in a prepared clip; 'drawn' from poses, so that it is known of frames that are still to be generated; 'seen' in
            frames, so that of those only the content frame's is known; 'footage': taken from other frames of the person, which are
            known when frames are generated, too; or 'made' by a transform or a data set.
        channels: of a picture or a map.
        content: the key of the same of the content frame; None where there is none.
        per: 'frame': the first axis of an item is time; 'content': only the content frame has it; 'item': once an item.
        mirror: label -> label in a mirrored picture; empty where mirroring changes no label.
        compute: makes it, see :func:`add`; None for fields of the toolkit.
        inputs: names of the arguments of ``compute``.
        store: it is computed when a clip is prepared, and stored.
    """

    name: str
    kind: str
    source: str = 'made'
    channels: int = 1
    content: str | None = None
    per: str = FRAME
    mirror: tuple[int, ...] = ()
    compute: Callable[..., np.ndarray] | None = None
    inputs: tuple[str, ...] = ()
    store: bool = False

    @property
    def is_picture(self) -> bool:
        """Whether it has a height and a width."""
        return self.kind in PICTURES

    @property
    def shows_colors(self) -> bool:
        """Whether it shows the colors of the footage: a picture, or the empty scene."""
        return self.kind == 'picture' or self.name == 'plate'

    @property
    def has_place(self) -> bool:
        """Whether data sets bring it as arrays that move with the frames when these are mirrored or cropped."""
        return self.source in ('stored', 'footage') or self.compute is not None


class Batch(dict):
    """A mini-batch or an item. A key that it lacks is an error that helps: somebody wants what the data set does not give."""

    def __missing__(self, key: str) -> None:
        raise InputError(f'{key!r} is needed, but the data set gives {", ".join(map(str, self)) or "nothing"}. What is '
                         f'expected: python tools/list_parts.py DATASETS')


def check_item(item: Any) -> Batch:
    """An item of a data set, with an error that helps where a key is asked for that it lacks.

    Raises:
        InputError: it is no dict.
    """
    if not isinstance(item, Mapping):
        raise InputError(f'the data set gives items of type {type(item).__name__}, expected dicts of tensors, numbers and texts. '
                         'What is expected: python tools/list_parts.py DATASETS')
    return Batch(item)


MIRRORED_LABELS = (0, *(part + 1 for part in MIRROR_PART))
TABLE = (
    Field('frames', 'picture', 'stored', 3, 'content_frame'),
    Field('pose_maps', 'map', 'drawn', 3, 'content_pose_map'),
    Field('edges', 'map', 'stored', 1, 'content_edge'),
    Field('masks', 'map', 'stored', 1, 'content_mask'),
    Field('regions', 'map', 'drawn', 2, 'content_regions'),
    Field('parts', 'labels', 'stored', 1, 'content_parts', CONTENT, mirror=MIRRORED_LABELS),
    Field('poses', 'pose', 'stored', content='content_pose'),
    Field('reference_frames', 'picture', 'footage', 3),
    Field('reference_parts', 'labels', 'footage', mirror=MIRRORED_LABELS),
    Field('reference_poses', 'pose', 'footage'),
    Field('reference_garments', 'map', 'footage', 2),
    Field('recolored_region', 'map'),
    Field('garment_colors', 'code'),
    Field('z', 'code', per=ITEM),
    Field('plate', 'map', 'footage', 3, per=ITEM),
    Field('anchor', 'code', per=ITEM),
    *(Field(name, 'meta', per=ITEM) for name in ('clip', 'person', 'direction', 'index', 'content_index', 'fps', 'follows')),
)
"""The fields of the toolkit."""
REFERENCES = 'reference_frames', 'reference_parts', 'reference_poses'
"""Keys of the reference frames that all have, see :mod:`toolkit.datasets.references`."""


ADDED: dict[str, Field] = {}
"""Fields of others, by name."""
SIZE = 'size'
"""Argument of ``compute`` that gets (H, W)."""


def register(field: Field) -> None:
    """Describe a key of one's own that a transform or a data set makes.

    Raises:
        InputError: a key that is taken or no plain word, or an unknown kind.
    """
    if not (field.name.isidentifier() and field.name.isascii() and field.name[0].isalpha()):
        raise InputError(f'field {field.name!r}: the name must be a plain word')
    if field.kind not in KINDS:
        raise InputError(f'field {field.name!r}: kind must be one of {", ".join(KINDS)}, got {field.kind!r}')
    before = ADDED.get(field.name)
    again = before and before.compute and field.compute and (
        before.compute.__module__, before.compute.__qualname__) == (field.compute.__module__, field.compute.__qualname__)
    for key in filter(None, (field.name, field.content)):
        if find(key) and not again:
            raise InputError(f'field {field.name!r}: the key {key!r} is taken; choose another name')
    ADDED[field.name] = field


def add(name: str, kind: str = 'map', channels: int = 1, store: bool = False,
        mirror: Sequence[int] = ()) -> Callable[[Callable[..., np.ndarray]], Callable[..., np.ndarray]]:
    """Add a field that is computed while clips are loaded: a decorator of the function that computes it.

    Its arguments are named after what it is computed from, each of T frames: ``frames`` (T, H, W, 3) uint8, ``edges``, ``masks``
    (T, H, W) uint8, ``poses`` (T, 18, 3), and ``size`` (H, W). It returns the field in the form of a sample, see the module, from what
    is given alone: the same frame gives the same, whatever is beside it. From poses alone it is known of frames that are still to be
    generated, too; from anything else only of frames that exist. It is called with the frames of a window, with its content frame
    (T = 1) and, from poses alone, with each pose to generate. It must not change what it is given.

    Args:
        name: key of the frames' entry; that of the content frame is ``content_<name>``.
        kind: 'map', 'picture', 'labels', 'pose' or 'code'.
        channels: of a map; (T, H, W, C) is returned where there is more than one.
        store: compute it once, when a clip is prepared, at the clip's size, and keep it in the clip. For clips without it, such as
            those prepared before, it is still computed while they are loaded.
        mirror: of labels that tell left from right: label -> label in a mirrored picture.

    Raises:
        InputError: a name that is taken or no plain word, an unknown kind, an argument that nothing is given for, or a field that
            cannot be stored.
    """
    def decorate(compute: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
        """Register the field that ``compute`` makes; the function stays as it is."""
        inputs, known = tuple(inspect.signature(compute).parameters), (*keys(FRAME, source='stored'), SIZE)
        if kind == 'meta':
            raise InputError(f'field {name!r}: what is computed is of kind {", ".join(KINDS[:-1])}, not meta')
        for argument in inputs:
            if argument not in known:
                raise InputError(f'field {name!r}: it cannot be computed from {argument!r}, only from {", ".join(known)}')
        source = 'drawn' if set(inputs) <= {'poses', SIZE} else 'seen'
        field = Field(name, kind, source, 3 if kind == 'picture' else channels, f'content_{name}', compute=compute, inputs=inputs,
                      store=store, mirror=tuple(mirror))
        if store and (source == 'drawn' or not field.is_picture or field.channels not in (1, 3)):
            raise InputError(f'field {name!r}: a clip stores pictures, maps and labels of 1 or 3 channels that are made from frames')
        register(field)
        return compute

    return decorate


def to_store() -> list[Field]:
    """The added fields that clips store when they are prepared."""
    return [field for field in ADDED.values() if field.store]


def added(names: Iterable[str]) -> list[Field]:
    """The fields of these names that are computed; models, which bring some, and plugins are imported where a name is not known yet.

    Raises:
        InputError: an unknown name.
    """
    names = list(names)
    if not set(names) <= set(ADDED):
        MODELS.import_from_location()
        load_plugins()
    known = sorted(name for name, field in ADDED.items() if field.compute)
    for name in names:
        if name not in known:
            raise InputError(f'no field {name!r} was added.{did_you_mean(str(name), known)} There are: {", ".join(known) or "none"}. A '
                             f'module adds one with toolkit.fields.add, when a plugin or custom_imports imports it')
    return [ADDED[name] for name in names]


def computed(field: Field, given: Mapping[str, Any]) -> np.ndarray:
    """Compute an added field.

    Args:
        field: of :func:`added`.
        given: what it may be computed from, by name.

    Returns:
        In the form of a sample.

    Raises:
        InputError: the function returned something else.
    """
    value = np.asarray(field.compute(**{name: given[name] for name in field.inputs}))
    count, size = len(given['poses']), tuple(given[SIZE])
    if field.is_picture:
        shape, fits = (count, *size, *([field.channels] if field.channels > 1 else [])), value.dtype == np.uint8
    else:
        shape, fits = (count, *((18, 3) if field.kind == 'pose' else value.shape[1:])), value.dtype.kind in 'biuf'
    if value.shape != shape or not fits:
        raise InputError(f'field {field.name!r}: {field.compute.__qualname__} must return an array of {shape} '
                         f'{"uint8" if field.is_picture else "numbers"}, got {value.shape} {value.dtype}')
    return value


def find(key: str) -> tuple[Field, str] | None:
    """The field under a key of a sample, an item or a batch, and what it is of: 'frame', 'content' or 'item'; None for unknown keys."""
    key = key.removeprefix(TRUTH)
    for field in (*TABLE, *ADDED.values()):
        if key == field.content:
            return field, CONTENT
        if key == field.name and field.per != CONTENT:
            return field, field.per
    return None


def named(name: str) -> Field:
    """The field of a name, such as the folder of a prepared clip."""
    return next(field for field in (*TABLE, *ADDED.values()) if field.name == name)


def kind_of(key: str) -> str | None:
    """The kind of the field under a key, None for an unknown one."""
    found = find(key)
    return found and found[0].kind


def is_per_frame(key: str) -> bool:
    """Whether the entry under a key has an axis of time."""
    found = find(key)
    return found is not None and found[1] == FRAME


def entries(of: str, extra: Iterable[str] = ()) -> list[tuple[str, Field]]:
    """Keys of the table with their fields, in its order.

    Args:
        of: 'frame', 'content' or 'item'.
        extra: names of added fields, which follow.
    """
    every = (*TABLE, *added(extra))
    if of == CONTENT:
        return [(field.content, field) for field in every if field.content]
    return [(field.name, field) for field in every if field.per == of]


def keys(of: str, source: str | None = None, kind: str | None = None) -> tuple[str, ...]:
    """Keys of the table, in its order.

    Args:
        of: 'frame', 'content' or 'item'.
        source, kind: only of fields with these.
    """
    return tuple(key for key, field in entries(of) if source in (None, field.source) and kind in (None, field.kind))


def content_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of the content frame, of an item or a batch."""
    return {key: value for key, value in data.items() if (found := find(key)) and found[1] == CONTENT}


def cut(data: Mapping[str, Any], start: int, stop: int, axis: int = 0) -> dict[str, Any]:
    """Frames ``start`` to ``stop`` of an item, or of a batch.

    Args:
        data: with ``frames``.
        start, stop: places on the axis of time.
        axis: of time: 0 for items, 1 for batches.

    Returns:
        The entries of frames cut, the others as they are.

    Raises:
        InputError: an entry as long as the frames that no field describes, so that nobody knows whether to cut it.
    """
    total, span = data['frames'].shape[axis], (slice(None),) * axis + (slice(start, stop),)
    if start == 0 and stop >= total:
        return dict(data)
    out = {}
    for key, value in data.items():
        shape = getattr(value, 'shape', ())
        if find(key) is None and len(shape) > axis and shape[axis] == total:
            raise InputError(f'{key!r} has {total} entries, as many as there are frames, and no field describes it, so that it cannot '
                             f'be cut in time: describe it with toolkit.fields.register(Field({key!r}, ..., per="frame" or "item"))')
        out[key] = value[span] if is_per_frame(key) else value
    return out


def stored_pictures() -> tuple[str, ...]:
    """Names of the folders of pictures in a prepared clip."""
    return tuple(f.name for f in TABLE if f.source == 'stored' and f.is_picture)


def steps(part: Mapping[str, Any], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Each frame of a batch by itself.

    Args:
        part: a batch with an axis of time.
        wanted: keys of frames.

    Returns:
        For each frame its entries, (B, 1, ...).
    """
    return [{key: part[key][:, t:t + 1] for key in wanted} for t in range(part['frames'].shape[1])]
