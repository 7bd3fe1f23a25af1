"""Edge detectors: frames -> edge maps.

``EDGE_DETECTORS``: called with frames (T, H, W, 3) uint8 RGB, it returns the probability of an edge (T, H, W) float32 in [0, 1].
"""

from toolkit.registry import import_parts

import_parts(__name__)
