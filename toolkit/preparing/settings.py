"""What decides how a prepared clip comes out, and how clips are named."""

import math
from dataclasses import dataclass
from pathlib import Path

from toolkit.clips.clip import ENCODING
from toolkit.fingerprints import part_fingerprint
from toolkit.outputs import plain_name
from toolkit.poses.follow import check_follow
from toolkit.structures import InputError

MAX_FPS = 1000


class UnusableClipError(InputError):
    """The video was read, but no clip can be made of it. The message says why; its stages are kept for another try."""


@dataclass(frozen=True)
class PrepareSettings:
    """What decides how a clip comes out.

    Attributes:
        height, width: size of the clip; None for both: see :mod:`toolkit.clips.size`.
        multiple: height and width must be multiples of this, as the networks need it.
        crop: 'person' (around the person in all frames), 'center' (largest centered window), or (x, y, width, height) in source pixels.
        follow: which of several people: 'left', 'right', 'largest', or (x, y) in source pixels, a point on the person, in the first
            frame that shows somebody. None is the most prominent one, or the one whom the estimator finds.
        fps: constant rate to make by time stamps; None keeps every frame, or makes a variable rate constant at its average.
        start, end: stretch of the video in seconds.
        max_frames: at most so many frames.
        smooth: smooth the poses in time.
        trim: leave out frames before the person comes and after they have gone.
        frame_format: 'png' or 'jpg'.
        min_presence: a clip with a person in fewer than this share of frames is unusable.
        min_person: a clip with a person less high than this, in source pixels, is unusable.
    """

    height: int | None = None
    width: int | None = None
    multiple: int = 32
    crop: str | tuple[int, int, int, int] = 'person'
    follow: str | tuple[float, float] | None = None
    fps: float | None = None
    start: float = 0.
    end: float | None = None
    max_frames: int | None = None
    smooth: bool = True
    trim: bool = True
    frame_format: str = 'png'
    min_presence: float = .5
    min_person: float = 48.

    def __post_init__(self):
        if self.multiple < 1:
            raise InputError(f'multiple must be at least 1, got {self.multiple}')
        if (self.height is None) != (self.width is None):
            raise InputError(f'size {self.height}x{self.width} (height x width): give both or none')
        wrong = [n for n in (self.height, self.width) if n is not None and (n <= 0 or n % self.multiple)]
        if wrong:
            valid = [sorted({max(n // self.multiple, 1) * self.multiple, -(-n // self.multiple) * self.multiple})
                     for n in (self.height, self.width)]
            raise InputError(
                f'size {self.height}x{self.width} (height x width): both must be multiples of {self.multiple}, as networks need it; '
                f'nearest valid heights {" or ".join(map(str, valid[0]))}, widths {" or ".join(map(str, valid[1]))}')
        window = isinstance(self.crop, (tuple, list)) and len(self.crop) == 4 and all(isinstance(n, int) for n in self.crop)
        if not window and not (isinstance(self.crop, str) and self.crop in ('person', 'center')):
            raise InputError(f"crop must be 'person', 'center' or x,y,width,height in whole source pixels, got {self.crop!r}")
        if self.frame_format not in ENCODING:
            raise InputError(f'frame_format must be one of {sorted(ENCODING)}, got {self.frame_format!r}')
        check_follow(self.follow)
        if self.fps is not None and not 0 < self.fps <= MAX_FPS:
            raise InputError(f'fps must be positive and at most {MAX_FPS}, got {self.fps}')
        if not 0 <= self.start < math.inf:
            raise InputError(f'start must be a time in seconds, 0 or later, got {self.start}')
        if self.end is not None and not self.start < self.end < math.inf:
            raise InputError(f'the stretch from {self.start} s to {self.end} s is empty: expected 0 <= start < end')
        for name, most in (('min_presence', 1), ('min_person', math.inf)):
            if not 0 <= getattr(self, name) <= most:
                raise InputError(f'{name} must be in 0..{most:g}, got {getattr(self, name)}')
        if self.max_frames is not None and self.max_frames < 1:
            raise InputError(f'max_frames must be at least 1, got {self.max_frames}')


def part_record(part) -> dict:
    """Type, version and, if it reads files, their fingerprint, of an estimator, detector or segmentor for the manifest."""
    record = dict(type=getattr(part, 'name', type(part).__name__), version=str(getattr(part, 'version', '')))
    fingerprint = part_fingerprint(part)
    return record if fingerprint is None else dict(record, fingerprint=fingerprint)


def clip_name(path: str | Path) -> str:
    """Name of the clip made of a video: the file name without suffix, what is awkward in file names replaced by ``_``."""
    path = Path(path).absolute()
    stem = path.name if path.is_dir() else path.stem
    return plain_name(stem, 'clip')


def clip_names(paths: list[str | Path]) -> list[str]:
    """Different names for the clips of several videos; where stems are equal the parent folder's name goes before.

    Raises:
        InputError: even so two are equal.
    """
    names = [clip_name(p) for p in paths]
    names = [f'{clip_name(Path(p).absolute().parent)}_{n}' if names.count(n) > 1 else n for p, n in zip(paths, names)]
    for name in names:
        same = [str(p) for p, n in zip(paths, names) if n == name]
        if len(same) > 1:
            raise InputError(f'these videos would all become the clip {name!r}: {", ".join(same)}; prepare them one by one with --name')
    return names
