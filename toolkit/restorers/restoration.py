"""Restores warped feature maps.

Source: *Disentangled Human Action Video Generation via Decoupled Learning* (Yang et al. 2019, section 2.3) says what it does, not
how; the network is the residual one of Zhu et al. 2017.
"""

import torch
from torch import Tensor, nn

from toolkit.generators.resnet import ResNetGenerator
from toolkit.registry import RESTORERS
from toolkit.structures import InputError
from toolkit.weights import ConfiguredNetwork

SEES = {'all': 8, 'warped': 4}


@RESTORERS.register_module()
class RestorationNetwork(ConfiguredNetwork):
    """Warped feature map -> what the feature map of the real frame should be: cracks filled, seams between parts smoothed.

    A :class:`toolkit.generators.resnet.ResNetGenerator`: 7,856,516 parameters by default, 7,843,972 with ``sees='warped'``, 1,974,468
    with ``ngf=32``.

    The extra state holds :attr:`config`, so that a network can be rebuilt from a checkpoint alone, and one that works otherwise than it
    was trained is refused.

    Args:
        ngf, n_down, n_blocks, norm, up: of the ResNetGenerator.
        sees: ``'all'``, or ``'warped'`` for the warped map alone.
        residual: the network says what to add to the warped edges and to the stick figure of the target pose (the warped one with
            ``sees='warped'``), at first nothing; False: it says the whole map.

    Raises:
        InputError: unknown option.
    """

    described_as = 'restoration network'

    def __init__(self, ngf: int = 64, n_down: int = 2, n_blocks: int = 6, norm: str = 'instance', up: str = 'transposed',
                 sees: str = 'all', residual: bool = True):
        super().__init__()
        if sees not in SEES:
            raise InputError(f'sees={sees!r} of RestorationNetwork is unknown, expected one of {", ".join(SEES)}')
        self.input_nc, self.residual = SEES[sees], residual
        self.network = ResNetGenerator(self.input_nc, 4, ngf, n_down, n_blocks, norm, up)
        if residual:
            nn.init.zeros_(self.network.head.conv.weight)
        self.config = dict(type='RestorationNetwork', ngf=ngf, n_down=n_down, n_blocks=n_blocks, norm=norm, up=up, sees=sees,
                           residual=residual)

    def forward(self, x: Tensor) -> Tensor:
        """Restore as :mod:`toolkit.restorers` says; with ``sees='warped'`` the first four channels are enough.

        Where the sum of map and residual leaves [0, 1] it is cut off, and gradients pass as if it were not: a crack whose first
        residual is negative could not be filled otherwise.
        """
        out = self.network(2 * x[:, :self.input_nc] - 1).float()
        if not self.residual:
            return (out + 1) / 2
        pose = x[:, 4:7] if self.input_nc == SEES['all'] else x[:, :3]
        out = torch.cat([pose, x[:, 3:4]], 1).float() + out
        return out + (out.clamp(0, 1) - out).detach()
