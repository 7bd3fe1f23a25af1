"""Generators: maps (and code, and previous frames) -> picture.

``GENERATORS``: ``nn.Module``, built with ``input_nc``, which the method fills in. Called with x (B, input_nc, H, W) in [-1, 1], and
with a code and regions where it takes them, it returns a picture (B, 3, H, W) in [-1, 1].
"""

from toolkit.registry import import_parts

import_parts(__name__)
