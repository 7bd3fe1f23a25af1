"""Discriminators: pictures with conditions -> scores and features.

``DISCRIMINATORS``: ``nn.Module``, built with ``input_nc``, the channels of conditions and pictures together, which the method fills in.
Called with x (B, input_nc, H, W) in [-1, 1], it returns a list with one entry for each scale, finest first; an entry lists the outputs
of the layers (B, C, h, w), the scores last. Scores are logits. A discriminator without scales or features returns ``[[scores]]``.
"""

from toolkit.registry import import_parts

import_parts(__name__)
