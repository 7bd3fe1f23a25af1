"""Encoders: picture -> latent code.

``ENCODERS``: ``nn.Module`` with the attribute ``nz``, the length D of its code. Called with pictures (B, 3, H, W) in [-1, 1], it
returns the mean and the log-variance of the code, (B, D) each. :class:`toolkit.encoders.region_encoder.RegionEncoder`
shows such a network one garment; called as ``encoder(images, regions, masks)``, it is what methods train.
"""

from toolkit.registry import import_parts

import_parts(__name__)
