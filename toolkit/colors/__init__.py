"""Color spaces and recoloring.

``COLORIZERS``: called as ``colorizer(lab, weight, target_ab, hints)`` with one picture: lab (H, W, 3) float32, weight (H, W) float32 in
[0, 1], how much a pixel belongs to the garment, target_ab, the (a, b) wanted, and hints, points and their colors
(:class:`toolkit.colors.recolor.Hints`). It returns the new a and b (H, W, 2) float32. Lightness stays.
"""

from toolkit.registry import import_parts

import_parts(__name__)
