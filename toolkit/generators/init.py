"""First weights of networks, as the published ones are drawn. Sources: Glorot and Bengio 2010; He et al. 2015."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)


def init_xavier(module: nn.Module, gain: float = 0.02) -> None:
    """Draw the weights of all convolutions and linear layers from Glorot's normal distribution, times ``gain``; biases become 0.

    BicycleGAN starts all its networks with 0.02: their outputs are almost 0 at first. Deep networks without norms need 1, as
    TensorFlow starts them. The module is changed in place.
    """
    _draw(module, lambda weight: nn.init.xavier_normal_(weight, gain))


def init_kaiming(module: nn.Module, slope: float = 0.2) -> None:
    """Draw the weights of all convolutions and linear layers so that LeakyReLU networks keep the size of their maps; biases become 0.

    Args:
        module: changed in place.
        slope: negative slope of the activations.
    """
    _draw(module, lambda weight: nn.init.kaiming_normal_(weight, slope))


@torch.no_grad()
def _draw(module: nn.Module, draw: Callable[[Tensor], Tensor]) -> None:
    for layer in module.modules():
        if isinstance(layer, LAYERS):
            draw(layer.weight)
            if layer.bias is not None:
                layer.bias.zero_()
