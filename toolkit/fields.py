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

``...`` is T for the frames of a window and nothing for its content frame. A key that no field describes is passed on as it is; where
that could be wrong, it is an error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
        source: 'stored' in a prepared clip, 'drawn' from poses, or 'made' by a transform or a data set.
        channels: of a picture or a map.
        content: the key of the same of the content frame; None where there is none.
        per: 'frame': the first axis of an item is time; 'content': only the content frame has it; 'item': once an item.
        mirror: label -> label in a mirrored picture; empty where mirroring changes no label.
    """

    name: str
    kind: str
    source: str = 'made'
    channels: int = 1
    content: str | None = None
    per: str = FRAME
    mirror: tuple[int, ...] = ()

    @property
    def is_picture(self) -> bool:
        """Whether it has a height and a width."""
        return self.kind in PICTURES


TABLE = [
    Field('frames', 'picture', 'stored', 3, 'content_frame'),
    Field('pose_maps', 'map', 'drawn', 3, 'content_pose_map'),
    Field('edges', 'map', 'stored', 1, 'content_edge'),
    Field('masks', 'map', 'stored', 1, 'content_mask'),
    Field('regions', 'map', 'drawn', 2, 'content_regions'),
    Field('parts', 'labels', 'stored', 1, 'content_parts', CONTENT, mirror=(0, *(part + 1 for part in MIRROR_PART))),
    Field('poses', 'pose', 'stored', content='content_pose'),
    Field('recolored_region', 'map'),
    Field('garment_colors', 'code'),
    Field('z', 'code', per=ITEM),
    Field('plate', 'map', channels=3, per=ITEM),
    Field('anchor', 'code', per=ITEM),
    *(Field(name, 'meta', per=ITEM) for name in ('clip', 'person', 'direction', 'index', 'content_index', 'fps', 'follows')),
]


def register(field: Field) -> None:
    """Describe a key of one's own.

    Raises:
        InputError: one of its keys is taken, or an unknown kind.
    """
    if field.kind not in KINDS:
        raise InputError(f'field {field.name!r}: kind must be one of {", ".join(KINDS)}, got {field.kind!r}')
    for key in filter(None, (field.name, field.content)):
        if find(key):
            raise InputError(f'field {field.name!r}: the key {key!r} is taken; choose another name')
    TABLE.append(field)


def find(key: str) -> tuple[Field, str] | None:
    """The field under a key of a sample, an item or a batch, and what it is of: 'frame', 'content' or 'item'; None for unknown keys."""
    key = key.removeprefix(TRUTH)
    for field in TABLE:
        if key == field.content:
            return field, CONTENT
        if key == field.name and field.per != CONTENT:
            return field, field.per
    return None


def kind_of(key: str) -> str | None:
    """The kind of the field under a key, None for an unknown one."""
    found = find(key)
    return found and found[0].kind


def is_per_frame(key: str) -> bool:
    """Whether the entry under a key has an axis of time."""
    found = find(key)
    return found is not None and found[1] == FRAME


def entries(of: str) -> list[tuple[str, Field]]:
    """Keys of the table with their fields, in its order.

    Args:
        of: 'frame', 'content' or 'item'.
    """
    if of == CONTENT:
        return [(field.content, field) for field in TABLE if field.content]
    return [(field.name, field) for field in TABLE if field.per == of]


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
    out = {}
    for key, value in data.items():
        shape = getattr(value, 'shape', ())
        if find(key) is None and len(shape) > axis and shape[axis] == total > 1:
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
