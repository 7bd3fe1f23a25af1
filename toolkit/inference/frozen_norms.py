"""Instance norms that become constants: the mean and spread of calibration frames, folded into the convolutions before them."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from toolkit.structures import InputError

CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@torch.no_grad()
def freeze_norms(network: nn.Module, inputs: Sequence[Sequence[Tensor | None]]) -> int:
    """Replace the instance norms of a network, in place, by what they do on average over calibration frames.

    A norm that directly follows a convolution is a scale and a shift of each channel then, and these go into its weights: the norm
    costs nothing any more. What differs from frame to frame in brightness of the features is lost.

    Args:
        network: in eval mode, in full precision.
        inputs: what it was called with, for each calibration frame.

    Returns:
        How many norms are gone.

    Raises:
        InputError: no frame, or a norm with weights of its own or without a convolution before it.
    """
    if not inputs:
        raise InputError('norms are frozen over calibration frames, but there are none')
    norms = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.InstanceNorm2d)}
    sums, before, last = {name: [0, 0] for name in norms}, {}, []

    def made(layer: nn.Module, given: tuple, output: Tensor) -> None:
        last[:] = [(layer, output)]

    def seen(name: str):
        def see(layer: nn.Module, given: tuple) -> None:
            x = given[0].double()
            sums[name][0] = sums[name][0] + x.mean((0, 2, 3))
            sums[name][1] = sums[name][1] + x.var((0, 2, 3), correction=0)
            before[name] = last[0][0] if last and last[0][1] is given[0] else None
        return see

    hooks = [layer.register_forward_hook(made) for layer in network.modules() if isinstance(layer, CONVOLUTIONS)]
    hooks += [layer.register_forward_pre_hook(seen(name)) for name, layer in norms.items()]
    try:
        for given in inputs:
            network(*given)
    finally:
        for hook in hooks:
            hook.remove()
    for name, norm in norms.items():
        if before.get(name) is None or norm.affine or norm.track_running_stats:
            raise InputError(f'{type(network).__name__}.{name} does not directly follow a convolution, or has weights of its own: its '
                             'norms cannot be frozen')
    for name, norm in norms.items():
        mean, variance = (value / len(inputs) for value in sums[name])
        scale, convolution = (variance + norm.eps).rsqrt(), before[name]
        shape = (-1, 1, 1, 1) if isinstance(convolution, nn.Conv2d) else (1, -1, 1, 1)
        weight = convolution.weight
        bias = 0 if convolution.bias is None else convolution.bias.double()
        convolution.bias = nn.Parameter(((bias - mean) * scale).to(weight.dtype), requires_grad=False)
        weight.copy_((weight.double() * scale.reshape(shape)).to(weight.dtype))
        parent, _, own = name.rpartition('.')
        setattr(network.get_submodule(parent), own, nn.Identity())
    return len(norms)
