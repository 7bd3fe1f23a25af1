"""HDR video (HLG, PQ) made SDR, so that a white shirt is white.

The transfer functions are those of ITU-R BT.2100. By ITU-R BT.2408 the white of paper lies at 203 cd/m2, which is 75 % of HLG and 58 %
of PQ; here it becomes the white of SDR. Up to 80 % of it light is kept as it is; what is brighter goes into the rest along an
exponential shoulder, by the largest of R, G and B, so that hues stay. Colors beyond BT.709 are clipped, and the result is
coded for the display of BT.1886 (gamma 2.4).
"""

from functools import cache
from io import BytesIO

import numpy as np

from toolkit.video.primaries import BT709, BT2020, LUMA, TO_BT709, UNSPECIFIED

TRANSFERS = {16: 'PQ', 18: 'HLG'}
WHITE, PEAK, KNEE = 203., 1000., .8
POINTS = 49


def hdr_primaries(said: int) -> int:
    """The primaries of HDR video, one of :data:`toolkit.video.primaries.TO_BT709`, from what it says (ITU-T H.273).

    Those of BT.2020 where it says nothing; numbers that are not known count as BT.709, to which they are close.
    """
    return BT2020 if said in (0, UNSPECIFIED) else said if said in TO_BT709 else BT709


def display_light(signal: np.ndarray, kind: str, primaries: int = BT2020) -> np.ndarray:
    """Light (..., 3) in cd/m2 that a display of 1000 cd/m2 shows of R'G'B' (..., 3) in [0, 1] of the kind 'PQ' or 'HLG'."""
    if kind == 'PQ':
        root = signal ** (1 / 78.84375)
        return 10000 * (np.maximum(root - .8359375, 0) / (18.8515625 - 18.6875 * root)) ** (1 / .1593017578125)
    scene = np.where(signal <= .5, signal ** 2 / 3, (np.exp((signal - .55991073) / .17883277) + .28466892) / 12)
    return PEAK * (scene @ LUMA[primaries])[..., None] ** .2 * scene


def to_sdr(light: np.ndarray, primaries: int = BT2020) -> np.ndarray:
    """R'G'B' (..., 3) of BT.709 in [0, 1] of displayed light (..., 3), RGB of the primaries in cd/m2."""
    rgb = np.maximum(light / WHITE @ TO_BT709[primaries].T, 0)
    largest = rgb.max(-1, keepdims=True)
    shown = np.where(largest <= KNEE, largest, KNEE + (1 - KNEE) * (1 - np.exp(-(largest - KNEE) / (1 - KNEE))))
    return (rgb * shown / np.maximum(largest, 1e-9)) ** (1 / 2.4)


@cache
def sdr_table(kind: str, primaries: int) -> bytes:
    """The content of a file (.cube) with the SDR color of each HDR color, for FFmpeg's filter ``lut3d``."""
    levels = np.linspace(0, 1, POINTS)
    blue, green, red = np.meshgrid(levels, levels, levels, indexing='ij')
    table = to_sdr(display_light(np.stack([red, green, blue], -1), kind, primaries), primaries).reshape(-1, 3)
    file = BytesIO()
    np.savetxt(file, table, '%.6f', header=f'LUT_3D_SIZE {POINTS}', comments='')
    return file.getvalue()
