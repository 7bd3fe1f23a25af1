"""BicycleGAN's discriminator. Source: Zhu et al. 2017, Toward multimodal image-to-image translation."""

from torch import nn

from toolkit.discriminators.multiscale import MultiscaleDiscriminator
from toolkit.discriminators.patchgan import PatchDiscriminator
from toolkit.generators.init import init_xavier
from toolkit.registry import DISCRIMINATORS
from toolkit.structures import InputError


@DISCRIMINATORS.register_module()
class BicycleDiscriminator(MultiscaleDiscriminator):
    """PatchGAN discriminators on the picture at 1, 1/2, ... of its size, each with fewer channels.

    The second scale has half the channels of the first, the third a quarter of the second, and so on, as in the authors' code.
    The predictions are (B, 1, 46, 30) and (B, 1, 22, 14) for 384 x 256 pixels and the defaults.

    ``n_layers=3`` is "basic_256_multi": patches of 70 x 70 pixels, 3,458,978 parameters at input_nc=3 and 3,465,122 at 7 (2 scales).
    ``n_layers=2`` is "basic_128_multi": 34 x 34 pixels, 830,626 parameters at input_nc=3. The discriminator of pix2pixHD
    (:class:`toolkit.discriminators.multiscale.MultiscaleDiscriminator`) has equal scales, wider borders and other first weights.

    Args:
        input_nc: channels of the input: 3, or conditions and picture together.
        ndf: channels after the first convolution at the finest scale.
        n_layers: number of strided convolutions at every scale.
        num_scales: number of discriminators.
        norm: see :class:`toolkit.discriminators.patchgan.PatchDiscriminator`.

    Raises:
        InputError: unknown norm, no scale, or too many for ``ndf``.
    """

    def __init__(self, input_nc: int, ndf: int = 64, n_layers: int = 3, num_scales: int = 2, norm: str = 'instance'):
        nn.Module.__init__(self)
        widths = [ndf]
        for scale in range(1, num_scales):
            widths.append(round(widths[-1] / 2**scale))
        if num_scales < 1 or min(widths) < 1:
            raise InputError(f'num_scales={num_scales} with ndf={ndf}: expected at least 1 scale, and ndf so large that each has a '
                             f'channel; they would have {", ".join(map(str, widths))}')
        self.input_nc = input_nc
        self.scales = nn.ModuleList(PatchDiscriminator(input_nc, width, n_layers, norm, padding=1) for width in widths)
        if norm != 'spectral':
            init_xavier(self)
