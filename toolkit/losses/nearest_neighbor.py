"""Distance to the nearest of the pixels around. Source: Siarohin et al. 2018, Deformable GANs, section 3.4."""

import torch
import torch.nn.functional as F
from mmengine.logging import print_log
from torch import Tensor, nn

from toolkit.losses.frozen import FrozenNetworkLoss
from toolkit.losses.perceptual_backbones import load_squeezenet, load_vgg19
from toolkit.registry import LOSSES
from toolkit.structures import InputError, MissingWeightsError

NETWORKS = ('auto', 'vgg19', 'squeezenet1_1', 'pixels', 'off')
LAYER = dict(vgg19=(3,), squeezenet1_1=(1,))
"""relu1_2 of VGG-19; the first ReLU of SqueezeNet, at half the size."""
CAFFE = 255 * 0.226
"""From features of pictures of unit variance to those of pictures in 0 .. 255, for which the authors' weight was chosen."""


@LOSSES.register_module()
class NearestNeighborLoss(FrozenNetworkLoss):
    r"""How far each place of the picture is from the most similar one near it in the real picture.

    .. math:: \mathrm{mean}_p \min_{|d| \le n / 2} \sum_c |\phi_c(\text{fake})(p) - \phi_c(\text{real})(p + d)|

    with the features of a frozen network, in the size they have for pictures in 0 .. 255. Misaligned texture costs little, so that
    pictures need not be blurred to be safe. The authors weight it by 0.01.

    Args:
        network: 'vgg19' (relu1_2, as published), 'squeezenet1_1', 'pixels' (colors in 0 .. 255 themselves), 'off' (always 0), or
            'auto': the first of these whose weights are there. What was taken is logged.
        size: n, side of the neighborhood in cells, odd.
        weights: weight file of the network that is named; None searches the weights folders.
        download: let torchvision fetch VGG-19 (548 MB) where no file is found.

    Raises:
        InputError: unknown option.
        MissingWeightsError: a network was named and its weights were not found.
    """

    inputs = ('fake', 'real')
    always_float32 = True
    for_generation = dict(network='off')

    def __init__(self, network: str = 'auto', size: int = 5, weights: str | None = None, download: bool = False) -> None:
        super().__init__()
        if network not in NETWORKS:
            raise InputError(f'network={network!r} is unknown, expected one of {", ".join(NETWORKS)}')
        if weights and network in ('auto', 'pixels'):
            raise InputError(f'weights={weights!r} belongs to one network: name it, network={network!r} does not go with it')
        if size < 1 or size % 2 == 0:
            raise InputError(f'size={size}, expected an odd number of at least 1')
        self.size = size
        self.backbone_name, features = _choose(network, weights, download)
        if features is not None:
            self.freeze(features)
        print_log(f'nearest-neighbor loss: {self.backbone_name}', 'current')

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Scalar, float32, of fake and real (B, 3, H, W) RGB in [-1, 1]."""
        if self.backbone_name == 'off':
            return torch.zeros((), device=fake.device)
        with torch.autocast(fake.device.type, enabled=False):
            fake, real = self._features(fake.float()), self._features(real.detach().float())
            return (fake - nearest(fake.detach(), real, self.size)).abs().sum(1).mean()

    def extra_repr(self) -> str:
        """Name the network, which is no submodule, and the neighborhood."""
        return f'backbone={self.backbone_name!r}, size={self.size}'

    def _features(self, pictures: Tensor) -> Tensor:
        return CAFFE * self._frozen[0](pictures)[0] if self._frozen else 127.5 * (pictures + 1)


@torch.no_grad()
def nearest(maps: Tensor, candidates: Tensor, size: int) -> Tensor:
    """For each place the most similar of the candidates around it.

    Args:
        maps, candidates: (B, C, H, W).
        size: side of the neighborhood, odd; what lies outside of the maps is no candidate.

    Returns:
        (B, C, H, W), candidates[p + d] of the offset d with the smallest sum of differences over channels.
    """
    reach = size // 2
    height, width = maps.shape[2:]
    padded = F.pad(candidates, (reach,) * 4, value=torch.inf)
    best, found = maps.new_full((len(maps), 1, height, width), torch.inf), candidates
    for top in range(size):
        for left in range(size):
            shifted = padded[:, :, top:top + height, left:left + width]
            away = (maps - shifted).abs().sum(1, keepdim=True)
            nearer = away < best
            best, found = torch.where(nearer, away, best), torch.where(nearer, shifted, found)
    return found


def _choose(network: str, weights: str | None, download: bool) -> tuple[str, nn.Module | None]:
    if network in ('vgg19', 'auto'):
        try:
            return 'vgg19', load_vgg19(weights, LAYER['vgg19'], True, download)
        except MissingWeightsError:
            if network == 'vgg19':
                raise
    if network in ('squeezenet1_1', 'auto'):
        try:
            return 'squeezenet1_1', load_squeezenet(weights, LAYER['squeezenet1_1'])
        except MissingWeightsError:
            if network == 'squeezenet1_1':
                raise
    return 'off' if network == 'off' else 'pixels', None
