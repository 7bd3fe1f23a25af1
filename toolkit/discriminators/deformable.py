"""The discriminator of Deformable GAN. Source: Siarohin et al. 2018, Deformable GANs for Pose-based Human Image Generation."""

from torch import Tensor, nn

from toolkit.generators.deformable import JointNorm
from toolkit.registry import DISCRIMINATORS
from toolkit.structures import InputError


@DISCRIMINATORS.register_module()
class DeformableDiscriminator(nn.Module):
    """Strided 4x4 convolutions alone, normalized over all channels together. 2,803,782 parameters at 42 channels.

    Args:
        input_nc: channels of the input: source picture and pose, picture and pose.
        ndf: channels after the first convolution, which has no border.
        n_layers: further convolutions before the last one, each doubles the channels.
    """

    def __init__(self, input_nc: int, ndf: int = 64, n_layers: int = 3) -> None:
        super().__init__()
        self.input_nc = input_nc
        channels = [ndf * 2**i for i in range(n_layers + 1)]
        self.layers = nn.ModuleList([nn.Conv2d(input_nc, ndf, 4, 2)])
        for before, after in zip(channels, channels[1:]):
            self.layers.append(nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(before, after, 4, 2, 1, bias=False), JointNorm()))
        self.layers.append(nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(channels[-1], 1, 4, 2, 1, bias=False)))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(self.layers[0].bias)

    def forward(self, x: Tensor) -> list[list[Tensor]]:
        """Say how real pictures are.

        Args:
            x: (B, input_nc, H, W).

        Returns:
            One scale: the output of each layer, the last one is the prediction, (B, 1, 11, 7) for 384 x 256 pixels.

        Raises:
            InputError: the input has another number of channels.
        """
        if x.ndim != 4 or x.shape[1] != self.input_nc:
            raise InputError(f'input of shape {tuple(x.shape)}, expected (B, {self.input_nc}, H, W)')
        outputs = []
        for layer in self.layers:
            x = layer(x)
            outputs.append(x)
        return [outputs]
