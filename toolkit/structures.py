"""The shared vocabulary: letters of shapes, ranges, the clip window every part speaks of, errors and weight files.

Letters in docstrings: B batch, T frames, C channels, H height, W width, K joints (18), P parts (10), D latent size.

========== ============================== ==========================================================================================
what       shape, dtype                   meaning
========== ============================== ==========================================================================================
frames     (T, H, W, 3) uint8             RGB outside networks; BGR exists only at OpenCV's door
image      (B, 3, H, W) float             RGB in [-1, 1], inside networks
pose       (T, K, 3) float32              x, y in pixels of its frame (pixel centers at integers), confidence in [0, 1]; 0 = missing
edge       (H, W) float32                 edge probability in [0, 1]
mask       (H, W) float32                 person probability in [0, 1]
parts      (H, W) uint8                   0 background, 1..10 the parts of :data:`toolkit.skeletons.PARTS`
regions    (2, H, W) float32              upper and lower body regions of a pose, in [0, 1]
pose map   (H, W, 3) uint8                stick figure, RGB on black
F          (B, 4, H, W) float             feature map: stick figure RGB + edge, [0, 1] on black; 2F-1 only at a network's input
z          (B, D) float                   latent code [z_up, z_down]
========== ============================== ==========================================================================================
"""

import os
from pathlib import Path


class InputError(ValueError):
    """Something the user gave is not usable. The message names the file, key or frame, what was expected and what to do.

    It is one printable line, also where it quotes a file of a stranger.
    """

    def __init__(self, message: object = ''):
        super().__init__(''.join(c if c.isprintable() else ' ' if c.isspace() else ascii(c)[1:-1] for c in str(message)))


class MissingWeightsError(FileNotFoundError):
    """A pretrained weight file is needed and was not found."""


def spread(total: int, count: int) -> list[int]:
    """Numbers of ``count`` of ``total`` things, evenly from the first to the last; all where there are fewer."""
    wanted = min(count, total)
    step = (total - 1) / max(wanted - 1, 1)
    return sorted({round(i * step) for i in range(wanted)})


def check_seed(seed: int, what: str = 'seed') -> None:
    """See that ``seed`` can seed every generator of random numbers that is used here.

    Raises:
        InputError: it is no whole number from 0 to 2**32 - 1.
    """
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise InputError(f'{what} must be a whole number from 0 to {2**32 - 1}, got {seed!r}')


WEIGHTS_VARIABLE = 'TOOLKIT_WEIGHTS'


def weight_folders() -> list[Path]:
    """Folders that are searched for pretrained weights, first match wins.

    Returns:
        The folders of the environment variable ``TOOLKIT_WEIGHTS`` (separated like ``PATH``), ``./weights``, and
        ``~/.cache/human-video-toolkit/weights``.
    """
    named = [Path(p) for p in os.environ.get(WEIGHTS_VARIABLE, '').split(os.pathsep) if p]
    return [*named, Path('weights'), Path.home() / '.cache' / 'human-video-toolkit' / 'weights']


def find_weights(*names: str, required: bool = True) -> Path | None:
    """Find a pretrained weight file.

    Args:
        names: file names in order of preference, or paths; a path that exists is returned as it is.
        required: raise when nothing is found, else return None.

    Raises:
        MissingWeightsError: names the file, the folders searched and the variable to set.
    """
    for name in names:
        for candidate in [Path(name), *(folder / name for folder in weight_folders())]:
            if candidate.is_file():
                return candidate
    if not required:
        return None
    searched = ', '.join(str(f) for f in weight_folders())
    raise MissingWeightsError(
        f'weights {" or ".join(names)} not found in: {searched}. Put the file into one of these folders, or name its folder in the '
        f'environment variable {WEIGHTS_VARIABLE}.')
