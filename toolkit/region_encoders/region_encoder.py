"""The color encoder of one garment: what of a frame it sees, its network, and where its codes lie."""

import torch
import torch.nn.functional as F
from mmengine.dist import all_reduce
from torch import Tensor

from toolkit.fit import SIDE, check_attributes, check_call
from toolkit.registry import ENCODERS, REGION_ENCODERS
from toolkit.skeletons import REGIONS
from toolkit.structures import InputError
from toolkit.weights import ConfiguredNetwork

SEES = ('region', 'body', 'whole')


@REGION_ENCODERS.register_module()
class RegionEncoder(ConfiguredNetwork):
    """Frame -> mean and log-variance of the code of its upper or lower clothes.

    What the encoder is not to see is set to 0, mid-gray in [-1, 1], which adds nothing to a convolution.

    It can be rebuilt from a checkpoint alone, and one that would see other pixels than it was trained on is refused.

    Args:
        encoder: ``ENCODERS`` config of a network, picture -> (mu, logvar), with an attribute ``nz``.
        region: ``'up'`` or ``'down'``.
        sees: ``'region'``, the dilated region of the pose, inside the person's mask and without the other garment's region: no room,
            and little of the other garment; ``'body'``, the person; ``'whole'``, the frame as it is.
        size: (H, W) that the network works at: what it sees is averaged down to it, so that an encoder trained on small pictures sees
            the same in large ones. None takes pictures as they are.

    Raises:
        InputError: unknown option.
    """

    described_as = 'color encoder'
    code_mean: Tensor
    code_square: Tensor
    updates: Tensor

    def __init__(self, encoder: dict, region: str = 'up', sees: str = 'region', size: tuple[int, int] | None = None):
        super().__init__()
        for name, value, known in (('region', region, REGIONS), ('sees', sees, SEES)):
            if value not in known:
                raise InputError(f'{name}={value!r} of RegionEncoder is unknown, expected one of {", ".join(known)}')
        self.network = ENCODERS.build(encoder)
        check_attributes(ENCODERS, self.network, 'RegionEncoder', 'encoder', ('nz',))
        check_call(ENCODERS, self.network, 'RegionEncoder', 'encoder', dict(x=(2, 3, *(size or (SIDE, SIDE)))),
                   [(2, self.network.nz)] * 2)
        self.nz, self.region, self.sees, self.size = self.network.nz, region, sees, size and list(size)
        self.register_buffer('code_mean', torch.zeros(self.nz))
        self.register_buffer('code_square', torch.ones(self.nz))
        self.register_buffer('updates', torch.zeros((), dtype=torch.long))
        network = dict(getattr(self.network, 'config', encoder))
        self.config = dict(type='RegionEncoder', encoder=network, region=region, sees=sees, size=self.size)

    @property
    def region_index(self) -> int:
        """Channel of this region in region maps: 0 upper, 1 lower."""
        return REGIONS.index(self.region)

    def forward(self, images: Tensor, regions: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """Encode as :mod:`toolkit.region_encoders` says. Regions are looked at with ``sees='region'`` alone, masks not with 'whole'."""
        seen = self.visible(images, regions, masks)
        if self.size and list(seen.shape[-2:]) != self.size:
            seen = F.interpolate(seen, self.size, mode='area')
        return self.network(seen)

    def visible(self, images: Tensor, regions: Tensor, masks: Tensor) -> Tensor:
        """What the network sees of the images, see :meth:`forward`: (B, 3, H, W)."""
        if self.sees == 'whole':
            return images
        if self.sees == 'body':
            return images * masks
        own, other = regions[:, self.region_index, None], regions[:, 1 - self.region_index, None]
        return images * (own * (1 - other) * masks)

    @torch.no_grad()
    def observe(self, mu: Tensor, decay: float = 0.999) -> None:
        """Take the codes of a batch into the running mean and square, over all processes.

        Args:
            mu: (B, nz) of training pictures.
            decay: of the average; at the n-th update it is at most (1 + n) / (10 + n).
        """
        moments = torch.stack([mu.detach().float().mean(0), mu.detach().float().square().mean(0)])
        all_reduce(moments, 'mean')
        weight = 1 - torch.clamp((1 + self.updates) / (10 + self.updates), max=decay)
        self.code_mean.lerp_(moments[0], weight)
        self.code_square.lerp_(moments[1], weight)
        self.updates += 1

    @property
    def code_std(self) -> Tensor:
        """(nz,) standard deviation of the codes observed; 1 before any."""
        return (self.code_square - self.code_mean.square()).clamp_min(0).sqrt()
