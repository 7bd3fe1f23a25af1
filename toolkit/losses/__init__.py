"""Losses, one file each.

``LOSSES``: an ``nn.Module`` without trainable parameters that returns a scalar; no gradient reaches what is real. It declares what it
needs by name: ``inputs`` are the arguments of its ``forward`` that it must get, ``optional_inputs`` those it takes where a method has
them. Both may be set by the constructor. A method gives it exactly these, by keyword. What methods offer, and in which shapes, stands
in their docstrings; most have

- ``fake``, ``real``: pictures (N, 3, H, W) in [-1, 1]; ``masks`` (N, 1, H, W) in [0, 1], where the person is;
- ``scores``: what a discriminator says of the generated pictures. A loss that takes them trains the discriminator, too: it is also
  called as ``loss(scores, real=..., for_discriminator=True)``, see :class:`toolkit.losses.gan.GANLoss`;
- ``fake_features``, ``real_features``: for each scale of a discriminator the outputs of its layers, the prediction last.

A loss that holds a pretrained network names in ``for_generation`` the arguments that leave it out. Models that only generate are built
with these, so that they need no weights but their own; and parts that such an argument names may not measure what the model paints.
"""

from toolkit.registry import import_parts

import_parts(__name__)
