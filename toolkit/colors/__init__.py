"""Color spaces and recoloring.

``COLORIZERS``: called as ``colorizer(lab, weight, target_ab, hints)`` with one picture: lab (H, W, 3) float32, weight (H, W) float32 in
[0, 1], how much a pixel belongs to the garment, target_ab, the (a, b) wanted, and hints, points and their colors
(:class:`toolkit.colors.recolor.Hints`). It returns the new a and b (H, W, 2) float32. Lightness stays.
A part may have a ``name`` for records, by default that of its class, and say ``pointwise = True``: the new color of a pixel then
depends on that pixel alone, and it is called with the pixels of the region, lab (N, 1, 3) and weight (N, 1), and without points.
"""

from toolkit.registry import import_parts

import_parts(__name__)
