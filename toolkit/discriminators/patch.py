"""The 70 x 70 PatchGAN of pix2pix and CycleGAN. Source: Isola et al. 2017, section 3.2.2; Zhu et al. 2017, section 4."""

import torch
from torch import nn

from toolkit.discriminators.multiscale import MultiscaleDiscriminator
from toolkit.registry import DISCRIMINATORS


@DISCRIMINATORS.register_module()
class PatchGAN(MultiscaleDiscriminator):
    """One PatchGAN discriminator at full size, with a border of one pixel; biases start from 0.

    2,764,737 parameters at input_nc=3; 256 x 256 pixels give 30 x 30 predictions, 384 x 256 give 46 x 30.

    Args:
        input_nc: channels of the input.
        ndf: channels after the first convolution.
        n_layers: number of strided convolutions; 3 sees patches of 70 x 70 pixels.
        norm: 'instance', 'batch', 'spectral' or 'none'.
    """

    def __init__(self, input_nc: int, ndf: int = 64, n_layers: int = 3, norm: str = 'instance'):
        super().__init__(input_nc, ndf, n_layers, num_scales=1, norm=norm, padding=1, most=None)
        with torch.no_grad():
            for layer in self.modules():
                if isinstance(layer, nn.Conv2d):
                    layer.bias.zero_()
