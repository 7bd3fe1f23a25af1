"""Restoration networks: warped feature maps -> feature maps as of real frames.

``RESTORERS``: a :class:`toolkit.weights.ConfiguredNetwork` with the attribute ``input_nc``, how many channels it looks at. Called with
x (B, 8, H, W) in [0, 1], it returns the restored map (B, 4, H, W) in [0, 1]. x holds the warped map (stick figure RGB, edge), the stick
figure of the target pose, and the coverage of the warped parts.
"""

from toolkit.registry import import_parts

import_parts(__name__)
