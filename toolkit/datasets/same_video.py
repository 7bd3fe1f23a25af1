"""Clips that were made of the same video: which they are, and what moments both show."""

from contextlib import suppress

import numpy as np

from toolkit.clips.clip import Clip
from toolkit.clips.same_person import identity, video_of
from toolkit.structures import InputError


def shown_of(clip: Clip) -> tuple[str, str]:
    """Who is seen in a clip, and in which video."""
    return identity(clip), video_of(clip)


def same_moments(times: np.ndarray | None, shown: np.ndarray | None, fps: float) -> np.ndarray | None:
    """Where another clip of the same video and person shows what each frame of a clip shows.

    Args:
        times: of the clip, see :func:`times_of`.
        shown: of the other one.
        fps: frames a second of the other one.

    Returns:
        (T,) places among the frames of the other clip, also before and behind them; None where it is not known when frames were.
    """
    if times is None or shown is None:
        return None
    beyond = np.minimum(times - shown[0], 0) + np.maximum(times - shown[-1], 0)
    return np.round(np.interp(times, shown, np.arange(len(shown))) + fps * beyond, 3)


def times_of(clip: Clip) -> np.ndarray | None:
    """(T,) seconds of the frames in their video; None for a clip that does not say them."""
    with suppress(InputError):
        times = clip.array('times')
        return times if times.shape == (len(clip),) else None
    return None
