"""The user-guided colorization network with local hints, 34,187,027 parameters with its classification head.

Source: Real-time user-guided image colorization with learned deep priors (Zhang et al. 2017).
"""

import torch
from torch import Tensor, nn

AB_CLASSES = 529
"""23 x 23 grid of (a, b) in steps of 10 from -110."""
AB_SCALE, LIGHTNESS_CENTER, LIGHTNESS_SCALE = 110., 50., 100.
MULTIPLE = 8


def _convs(in_channels: int, channels: int, number: int, dilation: int = 1, relu_first: bool = False) -> nn.Sequential:
    """(conv 3x3, ReLU) x number, then batch norm."""
    layers: list[nn.Module] = [nn.ReLU()] if relu_first else []
    for i in range(number):
        layers += [nn.Conv2d(in_channels if i == 0 else channels, channels, 3, padding=dilation, dilation=dilation), nn.ReLU()]
    return nn.Sequential(*layers, nn.BatchNorm2d(channels))


def _up(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(in_channels, channels, 4, stride=2, padding=1))


def _short(in_channels: int, channels: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(in_channels, channels, 3, padding=1))


class SIGGRAPH17Network(nn.Module):
    """Lightness and color hints in, colors out. Names of layers are those of the published weight files.

    ======= ================================================= ==========
    block   layers                                            resolution
    ======= ================================================= ==========
    1       2 x conv 64                                       1
    2       2 x conv 128, on block 1 subsampled               1/2
    3       3 x conv 256, on block 2 subsampled               1/4
    4       3 x conv 512, on block 3 subsampled               1/8
    5, 6    3 x conv 512 each, dilation 2                     1/8
    7       3 x conv 512                                      1/8
    8       up 256 + conv 256 of block 3, 2 x conv 256        1/4
    class   1x1 conv 529 of block 8                           1/4
    9       up 128 + conv 128 of block 2, conv 128            1/2
    10      up 128 + conv 128 of block 1, conv 128, leaky     1
    out     1x1 conv 2, tanh                                  1
    ======= ================================================= ==========
    """

    def __init__(self):
        super().__init__()
        self.model1, self.model2, self.model3 = _convs(4, 64, 2), _convs(64, 128, 2), _convs(128, 256, 3)
        self.model4, self.model5, self.model6 = _convs(256, 512, 3), _convs(512, 512, 3, dilation=2), _convs(512, 512, 3, dilation=2)
        self.model7 = _convs(512, 512, 3)
        self.model8up, self.model3short8, self.model8 = _up(512, 256), _short(256, 256), _convs(256, 256, 2, relu_first=True)
        self.model9up, self.model2short9, self.model9 = _up(256, 128), _short(128, 128), _convs(128, 128, 1, relu_first=True)
        self.model10up, self.model1short10 = _up(128, 128), _short(64, 128)
        self.model10 = nn.Sequential(nn.ReLU(), nn.Conv2d(128, 128, 3, padding=1), nn.LeakyReLU(.2))
        self.model_class = nn.Sequential(nn.Conv2d(256, AB_CLASSES, 1))
        self.model_out = nn.Sequential(nn.Conv2d(128, 2, 1), nn.Tanh())

    def forward(self, lightness: Tensor, hint_ab: Tensor, hint_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Colorize.

        Args:
            lightness: (B, 1, H, W) L in [0, 100]; H and W multiples of 8.
            hint_ab: (B, 2, H, W) hint colors, 0 without hint.
            hint_mask: (B, 1, H, W) 1 where there is a hint, less the mask center the weights were trained with.

        Returns:
            Scores of the (a, b) classes (B, 529, H/4, W/4), and a, b (B, 2, H, W) in [-110, 110].
        """
        inputs = torch.cat([(lightness - LIGHTNESS_CENTER) / LIGHTNESS_SCALE, hint_ab / AB_SCALE, hint_mask], 1)
        block1 = self.model1(inputs)
        block2 = self.model2(block1[..., ::2, ::2])
        block3 = self.model3(block2[..., ::2, ::2])
        deep = self.model7(self.model6(self.model5(self.model4(block3[..., ::2, ::2]))))
        block8 = self.model8(self.model8up(deep) + self.model3short8(block3))
        block9 = self.model9(self.model9up(block8) + self.model2short9(block2))
        block10 = self.model10(self.model10up(block9) + self.model1short10(block1))
        return self.model_class(block8), self.model_out(block10) * AB_SCALE
