"""Region encoders: what a person wears on one half of the body -> latent code.

``REGION_ENCODERS``: ``nn.Module`` with ``region`` ('up' or 'down'), ``region_index`` (its channel in region maps), ``nz`` (length D of
the code), ``config`` (``type`` and arguments, from which it is rebuilt), ``code_mean`` and ``code_std`` (D,) of the codes of training,
and ``observe(mu)``, which takes those of a batch in. Called with pictures (B, 3, H, W) in [-1, 1], regions (B, 2, H, W) of the upper
and the lower clothes and masks (B, 1, H, W) in [0, 1], it returns the mean and the log-variance of the code, (B, D) each.
"""

from toolkit.registry import import_parts

import_parts(__name__)
