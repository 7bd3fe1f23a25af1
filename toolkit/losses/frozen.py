"""What losses share that look at pictures through a pretrained network."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


class FrozenNetworkLoss(nn.Module):
    """Base of a loss with a frozen network that is no submodule.

    The network appears in no ``parameters()``, ``state_dict()`` or optimizer, but follows ``.to(device)``; it stays frozen, in eval
    mode, and its weights in float32. It is run in :attr:`dtype`, whatever the precision around it.
    """

    always_float32 = False
    """Whether it is never run in half precision: small differences of what the network says are what this loss looks at."""
    dtype: torch.dtype | None = None
    """None for float32; bfloat16 for half precision by autocast, see ``loss_dtype`` of :class:`toolkit.models.base.VideoModel`."""

    def __init__(self) -> None:
        super().__init__()
        self._frozen: tuple[nn.Module, ...] = ()

    def freeze(self, network: nn.Module) -> None:
        """Take a network over and freeze it."""
        self._frozen = (network.requires_grad_(False).eval(),)

    def precision(self, device: torch.device) -> torch.autocast:
        """The context to run the network in."""
        return torch.autocast(device.type, self.dtype or torch.bfloat16, enabled=self.dtype is not None)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        for network in self._frozen:
            network._apply(fn, recurse).float()
        return super()._apply(fn, recurse)
