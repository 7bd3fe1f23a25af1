"""Generators: maps (and code, and previous frames) -> picture.

``GENERATORS``: ``nn.Module``, built with ``input_nc``, channels of its input, and, where it paints with a code, ``z_dims``, the length
of each region's code, (z_up, z_down) as a rule. Methods fill both in. Called as ``generator(x, z, regions)``; its forward is
``forward(self, x, z=None, regions=None)``:

- x (B, input_nc, H, W) in [-1, 1]: maps, with previous frames where a method has them;
- z (B, sum(z_dims)): the code, or None;
- regions (B, len(z_dims), H, W) in [0, 1]: where each region's code should act, or None without a code. It may be left unused.

It returns a picture (B, 3, H, W) in [-1, 1].
"""

from toolkit.registry import import_parts

import_parts(__name__)
