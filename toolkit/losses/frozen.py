"""What losses share that look at pictures through a pretrained network."""

from collections.abc import Callable

from torch import Tensor, nn


class FrozenNetworkLoss(nn.Module):
    """Base of a loss with a frozen network that is no submodule.

    The network appears in no ``parameters()``, ``state_dict()`` or optimizer, but follows ``.to(device)``; it stays frozen, in eval
    mode and in float32.
    """

    def __init__(self) -> None:
        super().__init__()
        self._frozen: tuple[nn.Module, ...] = ()

    def freeze(self, network: nn.Module) -> None:
        """Take a network over and freeze it."""
        self._frozen = (network.requires_grad_(False).eval(),)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        for network in self._frozen:
            network._apply(fn, recurse).float()
        return super()._apply(fn, recurse)
