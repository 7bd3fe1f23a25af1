"""PatchGAN discriminator that shows its layers. Source: Isola et al. 2017, pix2pix; padding and features as in pix2pixHD."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from toolkit.structures import InputError

NORMS = ('instance', 'batch', 'spectral', 'none')


class PatchDiscriminator(nn.Module):
    """4x4 convolutions that classify overlapping patches; 70 x 70 pixels each for ``n_layers`` 3.

    ``n_layers`` strided convolutions (ndf, 2 ndf, ... up to ``most`` channels), one more of stride 1, and one of stride 1 to a single
    map. LeakyReLU 0.2; no norm after the first and last convolution; every convolution has a bias. No sigmoid: the loss decides.

    Args:
        input_nc: channels of the input.
        ndf: channels after the first convolution.
        n_layers: number of strided convolutions.
        norm: 'instance' (no affine), 'batch', 'spectral' (every convolution is divided by its largest singular value) or 'none'.
        padding: border of every convolution in pixels, of zeros: 2 as in pix2pixHD (maps grow), 1 as in pix2pix and CycleGAN.

        most: channels that are not exceeded; None for 8 ndf, as in pix2pix and CycleGAN.

    Raises:
        InputError: unknown norm.
    """

    def __init__(self, input_nc: int, ndf: int = 64, n_layers: int = 3, norm: str = 'instance', padding: int = 2,
                 most: int | None = None):
        super().__init__()
        if norm not in NORMS:
            raise InputError(f'norm={norm!r} is unknown, expected one of {", ".join(NORMS)}')
        if n_layers < 0:
            raise InputError(f'n_layers={n_layers}, expected 0 or more')
        channels = [min(ndf * 2**i, most or ndf * 8) for i in range(n_layers + 1)]
        strides = [2] * n_layers + [1]
        self.layers = nn.ModuleList()
        for i, (in_channels, out_channels, stride) in enumerate(zip([input_nc, *channels], channels, strides)):
            layer = [_conv(in_channels, out_channels, stride, padding, norm)]
            if i > 0 and norm in ('instance', 'batch'):
                layer.append(nn.InstanceNorm2d(out_channels) if norm == 'instance' else nn.BatchNorm2d(out_channels))
            self.layers.append(nn.Sequential(*layer, nn.LeakyReLU(0.2, True)))
        self.layers.append(nn.Sequential(_conv(channels[-1], 1, 1, padding, norm)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """(B, input_nc, H, W) -> the outputs of all n_layers + 2 layers; the last one is the prediction (B, 1, h, w)."""
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return outputs


def _conv(in_channels: int, out_channels: int, stride: int, padding: int, norm: str) -> nn.Module:
    conv = nn.Conv2d(in_channels, out_channels, 4, stride, padding)
    nn.init.normal_(conv.weight, 0, 0.02)
    return spectral_norm(conv) if norm == 'spectral' else conv
