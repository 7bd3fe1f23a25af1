"""Primaries of colors, by their number in ITU-T H.273, and what they mean. Source: ITU-R BT.709, BT.2020; SMPTE RP 431-2, EG 432-1."""

import numpy as np

BT709, UNSPECIFIED, BT2020, DISPLAY_P3 = 1, 2, 9, 12
NAMES = {BT2020: 'BT.2020', DISPLAY_P3: 'Display P3'}
"""Those wider than BT.709."""
TO_BT709 = {
    BT709: np.eye(3),
    BT2020: np.array([[1.660491, -.587641, -.072850], [-.124550, 1.132900, -.008349], [-.018151, -.100579, 1.118730]]),
    DISPLAY_P3: np.array([[1.2249402, -.2249402, 0], [-.0420570, 1.0420570, 0], [-.0196376, -.0786360, 1.0982736]])}
"""Linear RGB to that of BT.709."""
LUMA = {
    BT709: np.array([.2126, .7152, .0722]),
    BT2020: np.array([.2627, .6780, .0593]),
    DISPLAY_P3: np.array([.2289746, .6917385, .0792869])}
"""How much R, G and B count in luminance."""
