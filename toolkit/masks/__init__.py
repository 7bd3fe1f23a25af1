"""Person segmentation, part labels and pose regions.

``SEGMENTORS``: called with consecutive frames (T, H, W, 3) uint8 RGB and their poses (T, 18, 3), it returns the probability of the
person (T, H, W) float32 in [0, 1]. Poses may be None for one that needs none. With ``track(frames, poses)`` it sees a clip as one
stream: an iterator of frames (H, W, 3) and all poses -> an iterator of masks (H, W).
"""

from toolkit.registry import import_parts

import_parts(__name__)
