"""SDR video with the primaries of BT.2020 or Display P3 made BT.709, so that its colors are not duller than players show them.

The signal is that for a display of BT.1886 (gamma 2.4) before and after. Colors beyond BT.709 are clipped.
"""

import av
import cv2
import numpy as np

from toolkit.video.primaries import BT2020, NAMES, TO_BT709, UNSPECIFIED

GAMMA = 2.4
_LIGHT = ((np.arange(256) / 255)**GAMMA).astype(np.float32)


def wide_primaries(frame: av.VideoFrame) -> int | None:
    """The primaries of a decoded frame of SDR, one of :data:`NAMES`; None for those of BT.709 and its like.

    A frame that is coded as BT.2020 and names no primaries has those of BT.2020.
    """
    primaries = int(getattr(frame, 'color_primaries', UNSPECIFIED))
    if primaries == UNSPECIFIED and frame.colorspace == BT2020:
        return BT2020
    return primaries if primaries in NAMES else None


def in_bt709(frame: np.ndarray, primaries: int) -> np.ndarray:
    """A picture with the primaries of BT.709.

    Args:
        frame: (H, W, 3) uint8 RGB.
        primaries: one of :data:`NAMES`, which the picture has.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    light = cv2.transform(cv2.LUT(frame, _LIGHT), TO_BT709[primaries])
    return cv2.convertScaleAbs(cv2.pow(np.maximum(light, 0, out=light), 1 / GAMMA), alpha=255)
