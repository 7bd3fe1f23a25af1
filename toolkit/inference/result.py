"""Write: the videos of a request, with sound, and the sheet of several outfits."""

from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import torch

from toolkit.datasets.tensors import pose_tensors
from toolkit.datasets.transforms import resize_image
from toolkit.files import check_output, fingerprint
from toolkit.inference.choosing import Chosen
from toolkit.inference.outfits import Colors
from toolkit.inference.overlapping import EVERY
from toolkit.inference.painting import Painting
from toolkit.inference.unfinished import Unfinished, named_already
from toolkit.outputs import refuse_existing, refuse_inputs
from toolkit.progress import Progress, progress_of
from toolkit.sheets import contact_sheet
from toolkit.structures import spread
from toolkit.video.io import check_suffix
from toolkit.video.sound import clip_sound

SHEET_COLUMNS = 6


def result_files(out: str | Path, colors: Colors, side_by_side: bool = False) -> tuple[list[Path], Path | None]:
    """What a request is written to: the videos, and the sheet of several outfits (None for one outfit)."""
    out = Path(out)
    count = max(len(colors.outfits), colors.samples)
    if not colors.several:
        return [out], None
    return [out] if side_by_side or count == 1 else [out.with_stem(f'{out.stem}_{i}') for i in range(count)], out.with_suffix('.png')


class Result:
    """Files that a request is written to.

    Args:
        out: video to write.
        colors: of the request.
        side_by_side: put the driving frame, the pose and all results beside each other.
        overwrite: replace results that are there.

    Raises:
        InputError: a place that cannot be written to, or a name that is no video's.
    """

    def __init__(self, out: str | Path, colors: Colors, side_by_side: bool = False, overwrite: bool = False) -> None:
        self.out = Path(out)
        check_suffix(check_output(self.out))
        self.videos, self.sheet = result_files(out, colors, side_by_side)
        self.side_by_side, self.overwrite = side_by_side, overwrite

    @property
    def prepared(self) -> Path:
        """Where inputs are prepared when nobody says where: beside the result."""
        return self.out.with_name(f'{self.out.stem}.prepared')

    def check(self, inputs: Sequence[str | Path]) -> None:
        """Refuse what must not be written over.

        Args:
            inputs: what is read.

        Raises:
            InputError: a result that is an input, or that is there already and may not be replaced.
        """
        refuse_inputs(self.written, [path for path in inputs if Path(path).exists()])
        named = named_already(self.out, self.written)
        refuse_existing([path for path in self.written if path not in named], self.overwrite)

    @property
    def written(self) -> list[Path]:
        """All files."""
        return [*self.videos, *([self.sheet] if self.sheet else [])]

    def write(self, chosen: Chosen, painted: Painting | Generator[list[np.ndarray], None, None], audio: bool = True,
              progress: bool | Progress = True) -> Path:
        """Write the videos, frame by frame, and the sheet. What was stopped goes on, if all that it depends on is the same.

        Args:
            chosen: of :func:`toolkit.inference.choosing.choose`.
            painted: of :func:`toolkit.inference.painting.paint`; or of each frame its picture in each video, which cannot go on.
            audio: put the sound of the driving clip into them.
            progress: show bars, or somebody to tell.

        Returns:
            The video, or the sheet where there are several outfits.

        Raises:
            InputError: see :class:`toolkit.video.io.VideoWriter`; a file that came meanwhile under the name of a result.
        """
        sound, silent = clip_sound(chosen.driving) if audio else (None, None)
        told = progress_of(progress, leave=True)
        if silent:
            told.say(f'the result has no sound: {silent}')
        total = len(chosen.poses)
        shown = spread(total, SHEET_COLUMNS)
        work = Unfinished(self.out, self.videos, chosen.driving.fps, sound, self.overwrite, self.sheet)
        with work.held(), closing(painted):
            key = self._key(painted, chosen) if isinstance(painted, Painting) and (total > EVERY or len(self.written) > 1) else None
            start, kept = work.resume(key)
            columns = [[picture.numpy() for picture in row] for row in kept['columns']] if start else []
            if start:
                told.say(f'goes on after {start} of {total} frames, which are painted already')
            if 0 < start < total:
                painted.go_on(start, kept['memory'])
            for t, row in enumerate(painted if start < total else (), start):
                row = [*_source(chosen, t), *row] if self.side_by_side else row
                if t in shown:
                    columns.append(row)
                each = [row] if len(self.videos) == 1 else [[picture] for picture in row]
                work.write([contact_sheet([pictures], gap=0) for pictures in each])
                if work.done % EVERY == 0 or work.done == total:
                    memory = painted.memory if isinstance(painted, Painting) else None
                    work.save(key, dict(memory=memory, columns=[[torch.tensor(picture) for picture in row] for row in columns]))
                told.step(self.out.name, t + 1, total)
            told.close()
            if self.sheet is None:
                work.finish()
                return self.out
            sheet = contact_sheet([list(row) for row in zip(*columns)])
            work.finish(cv2.imencode('.png', sheet[..., ::-1])[1].tobytes())
            return self.sheet

    def _key(self, painted: Painting, chosen: Chosen) -> str | None:
        key = painted.key()
        return key and fingerprint([key, self.side_by_side, len(self.videos), chosen.driving.fps])


def _source(chosen: Chosen, t: int) -> list[np.ndarray]:
    """The driving frame and the pose that is painted from."""
    pose = pose_tensors(chosen.poses[t:t + 1], *chosen.size, chosen.style)['pose_maps'][0].movedim(0, -1).numpy()
    return [resize_image(chosen.driving.frame(t), *chosen.size), pose]
