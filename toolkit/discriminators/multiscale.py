"""The multi-scale discriminator of pix2pixHD. Source: Wang et al. 2018, High-Resolution Image Synthesis, section 3.2."""

from torch import Tensor, nn

from toolkit.discriminators.patchgan import PatchDiscriminator
from toolkit.generators.blocks import pyramid
from toolkit.registry import DISCRIMINATORS
from toolkit.structures import InputError


@DISCRIMINATORS.register_module()
class MultiscaleDiscriminator(nn.Module):
    """Equal PatchGAN discriminators on the input at 1, 1/2, 1/4, ... of its size.

    It is halved by 3x3 average pooling that leaves the border out.

    8,303,427 parameters at input_nc=6, 8,328,003 at 14, 8,346,435 at 20 (3 scales). ``num_scales=1, padding=1`` is the plain 70 x 70
    PatchGAN of pix2pix and CycleGAN.

    Args:
        input_nc: channels of the input: conditions and pictures together.
        ndf: channels after the first convolution, at every scale.
        n_layers: number of strided convolutions at every scale.
        num_scales: number of discriminators.
        norm: 'instance', 'batch', 'spectral' or 'none', see :class:`toolkit.discriminators.patchgan.PatchDiscriminator`.
        padding: border of every convolution in pixels; 2 as published.
        most: channels that are not exceeded; 512 as published, None for 8 ndf.

    Raises:
        InputError: unknown norm, or ``num_scales`` below 1.
    """

    def __init__(self, input_nc: int, ndf: int = 64, n_layers: int = 3, num_scales: int = 3, norm: str = 'instance', padding: int = 2,
                 most: int | None = 512):
        super().__init__()
        if num_scales < 1:
            raise InputError(f'num_scales={num_scales}, expected at least 1')
        self.input_nc = input_nc
        self.scales = nn.ModuleList(PatchDiscriminator(input_nc, ndf, n_layers, norm, padding, most) for _ in range(num_scales))

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Scores and features at every scale; called as :mod:`toolkit.discriminators` says.

        For 384 x 256 pixels and the defaults the finest of the n_layers + 2 outputs are (B, 64, 193, 129), (B, 128, 97, 65),
        (B, 256, 49, 33), (B, 512, 50, 34) and (B, 1, 51, 35); the other predictions are (B, 1, 27, 19) and (B, 1, 15, 11).

        Raises:
            InputError: the input has another number of channels.
        """
        if x.ndim != 4 or x.shape[1] != self.input_nc:
            raise InputError(f'input of shape {tuple(x.shape)}, expected (B, {self.input_nc}, H, W)')
        outputs = [self.scales[0](x)]  # halved in between: with --amp, halving first gave other bits
        for discriminator in self.scales[1:]:
            x = pyramid(x, 1)[1]
            outputs.append(discriminator(x))
        return outputs
