"""Single frames of one person of a transfer: what metrics and baselines know the person by."""

from collections.abc import Sequence

import numpy as np

from toolkit.datasets.windows import ClipWindows
from toolkit.structures import InputError


class DomainFrames(Sequence):
    """All frames in use that show a person, read when asked for.

    Item: the frame (H, W, 3) uint8 RGB and its pose (18, 3).

    Args:
        windows: the person's clips.

    Attributes:
        poses: (N, 18, 3) float32 in pixels of the frames.
    """

    def __init__(self, windows: ClipWindows) -> None:
        self.windows = windows
        found = [windows.poses(person) for person in dict.fromkeys(clip.person for clip in windows.clips)]
        self.places = [place for places, _ in found for place in places]
        self.poses = np.concatenate([poses for _, poses in found])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.windows.frame(*self.places[index]), self.poses[index]


def domain_frames(dataset: dict) -> dict[str, DomainFrames]:
    """The frames of both persons that a dataset config names.

    Args:
        dataset: config of an :class:`toolkit.datasets.unpaired.UnpairedClips` or :class:`toolkit.datasets.directed.DirectedClips`.

    Returns:
        'a' and 'b' -> frames, without any transform.

    Raises:
        InputError: the config does not name two persons, or their clips cannot be used.
    """
    if not {'a', 'b'} <= set(dataset):
        raise InputError(f'a {dataset.get("type")} does not show two persons: expected a and b')
    frames = {}
    for name in 'ab':
        options = dataset[name] if isinstance(dataset[name], dict) else dict(root=dataset[name])
        options = {'size': dataset.get('size'), **options, 'window': 1, 'cache': 'none', 'transforms': []}
        frames[name] = DomainFrames(ClipWindows(**options))
    return frames
