"""What a training will see, as pictures: one row an item of a data set."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from toolkit.datasets.tensors import drawn_item
from toolkit.fields import ADDED, check_item
from toolkit.files import check_output, make_folder, write_file
from toolkit.outputs import refuse_existing, refuse_filled
from toolkit.sheets import contact_sheet, paint_parts
from toolkit.structures import InputError, spread

MOST_FRAMES = 6


@dataclass
class DatasetSheets:
    """Sheets of items of a data set.

    Attributes:
        out: a .png file, or a folder for one sheet a page.
        items: how many, spread over the data set.
        rows: items on one sheet.
        height: of each picture on the sheet, in pixels.
        draw: number of the random draw.
        overwrite: replace sheets that are there.

    Raises:
        InputError: numbers that are too small, or a file that is there.
    """

    out: Path
    items: int = 8
    rows: int = 8
    height: int = 192
    draw: int = 0
    overwrite: bool = False

    def __post_init__(self) -> None:
        for name, least in (('items', 1), ('rows', 1), ('height', 16), ('draw', 0)):
            if getattr(self, name) < least:
                raise InputError(f'{name} must be at least {least}, got {getattr(self, name)}')
        self.out = Path(self.out)
        self._file = self.out.suffix.lower() == '.png'
        check_output(self.out, folder=not self._file)
        self._folder = self.out.with_suffix('') if self._file else self.out
        if not self._file or self.items > self.rows:
            refuse_filled(self._folder, self.overwrite)
        if self._file:
            refuse_existing([self.out], self.overwrite)

    def write(self, dataset: Dataset) -> list[Path]:
        """Write the sheets; the files."""
        indices = spread(len(dataset), self.items)
        pages = [indices[i:i + self.rows] for i in range(0, len(indices), self.rows)]
        paths = [self.out] if self._file and len(pages) == 1 else [self._folder / f'{n:03d}.png' for n in range(len(pages))]
        for path, page in zip(paths, pages):
            rows, labels = zip(*(item_row(self._parts(dataset, index)) for index in page))
            sheet = contact_sheet(list(rows), list(labels), height=self.height)
            make_folder(path.parent)
            write_file(path, cv2.imencode('.png', sheet[..., ::-1])[1].tobytes(), self.overwrite)
        return paths

    def _parts(self, dataset: Dataset, index: int) -> list[dict]:
        """An item; of a whole clip, which may be long, each frame that is shown as an item of its own, and no other is read."""
        if self.draw or not hasattr(dataset, 'clip_part') or getattr(dataset, 'window', None) is not None:
            return [drawn_item(dataset, index, self.draw)]
        return [check_item(dataset.clip_part(index, t, t + 1)) for t in shown_frames(dataset.clip_length(index))]


def shown_frames(count: int) -> list[int]:
    """Places of the frames to show of a window of ``count`` frames: all, or some that are spread over it."""
    return spread(count, MOST_FRAMES)


def item_row(parts: Sequence[dict]) -> tuple[list[np.ndarray], list[str]]:
    """Pictures of one item, whole or in parts, and their labels.

    Of a window: its content frame; of each frame the frame, stick figure, edges, mask, regions (upper body red, lower body blue) and
    added fields; the content frame's part labels. Of two unpaired persons the frames and masks of each, and the empty scene where there
    is one; of a transfer's test clips also the true result where it is known.
    """
    item = parts[0]
    if 'a' in item:
        (row, labels), (more, others) = (_person_row([item[name]], name.upper()) for name in 'ab')
        return row + more, labels + others
    if 'direction' in item:
        return _person_row(parts, item['direction'])
    row, labels = [_picture(item['content_frame'])], [f'{item.get("clip", "")} content {item.get("content_index", "")}'.strip()]
    added = [name for name, field in ADDED.items() if name in item and field.compute and field.is_picture]
    for part, t in _shown(parts):
        upper, lower = part['regions'][t].numpy()
        row += [_picture(part['frames'][t]), _picture(part['pose_maps'][t]), part['edges'][t, 0].numpy(), part['masks'][t, 0].numpy(),
                np.stack([upper, np.zeros_like(upper), lower], -1), *(_added_picture(part[name][t]) for name in added)]
        labels += [f'frame {part.get("index", 0) + t}', 'pose', 'edges', 'mask', 'regions', *added]
    return row + [paint_parts(item['content_parts'][0].numpy())], [*labels, 'content parts']


def _shown(parts: Sequence[dict]) -> list[tuple[dict, int]]:
    """The frames of an item to show: the part, and which of its frames."""
    return [(part, t) for part in parts for t in shown_frames(len(part['frames']))]


def _person_row(parts: Sequence[dict], name: str) -> tuple[list[np.ndarray], list[str]]:
    row, labels = [], []
    for part, t in _shown(parts):
        row += [_picture(part['frames'][t]), part['masks'][t, 0].numpy()]
        labels += [f'{name} {part["clip"]} {part["index"] + t}', 'mask']
        if 'truth_frames' in part:
            row.append(_picture(part['truth_frames'][t]))
            labels.append('truth')
    if 'plate' in parts[0]:
        row.append(_picture(parts[0]['plate']))
        labels.append('empty scene')
    return row, labels


def _picture(tensor: Tensor) -> np.ndarray:
    """(C, H, W) -> (H, W, C)."""
    return tensor.permute(1, 2, 0).numpy()


def _added_picture(tensor: Tensor) -> np.ndarray:
    """The first three channels (C, H, W) of an added field as RGB, or one as gray."""
    shown = tensor[:3].numpy()
    return shown[0] if len(shown) == 1 else np.stack([*shown, *[np.zeros_like(shown[0])] * (3 - len(shown))], -1)
