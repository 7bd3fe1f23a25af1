"""Encoders: picture -> latent code.

``ENCODERS``: ``nn.Module`` with the attribute ``nz``, the length D of its code. Called with pictures (B, 3, H, W) in [-1, 1], it
returns the mean and the log-variance of the code, (B, D) each. A region encoder (:mod:`toolkit.region_encoders`)
decides what of a frame it is shown; that is what methods train.
"""

from toolkit.registry import import_parts

import_parts(__name__)
