"""SDR video with the primaries of BT.2020 or Display P3 made BT.709, so that its colors are not duller than players show them.

The signal is that for a display of BT.1886 (gamma 2.4) before and after. Colors beyond BT.709 are clipped.
"""

import av
import cv2
import numpy as np

from toolkit.video.tone_map import BT2020_TO_BT709

P3_TO_BT709 = np.array([[1.2249402, -.2249402, 0], [-.0420570, 1.0420570, 0], [-.0196376, -.0786360, 1.0982736]])
BT2020, DISPLAY_P3, UNSPECIFIED = 9, 12, 2
"""Primaries; the first and the last also stand for how colors are coded (ITU-T H.273)."""
WIDE = {BT2020: ('BT.2020', BT2020_TO_BT709), DISPLAY_P3: ('Display P3', P3_TO_BT709)}
"""Primaries -> their name, and the matrix from their linear RGB to that of BT.709."""
GAMMA = 2.4
_LIGHT = ((np.arange(256) / 255)**GAMMA).astype(np.float32)


def wide_primaries(frame: av.VideoFrame) -> int | None:
    """The primaries of a decoded frame of SDR, one of :data:`WIDE`; None for those of BT.709 and its like.

    A frame that is coded as BT.2020 and names no primaries has those of BT.2020.
    """
    primaries = int(getattr(frame, 'color_primaries', UNSPECIFIED))
    if primaries == UNSPECIFIED and frame.colorspace == BT2020:
        return BT2020
    return primaries if primaries in WIDE else None


def in_bt709(frame: np.ndarray, primaries: int) -> np.ndarray:
    """A picture with the primaries of BT.709.

    Args:
        frame: (H, W, 3) uint8 RGB.
        primaries: one of :data:`WIDE`, which the picture has.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    light = cv2.transform(cv2.LUT(frame, _LIGHT), WIDE[primaries][1])
    return cv2.convertScaleAbs(cv2.pow(np.maximum(light, 0, out=light), 1 / GAMMA), alpha=255)
