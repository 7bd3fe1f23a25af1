"""How far an encoder's codes are from the standard normal distribution. Source: Kingma and Welling 2014, appendix B."""

from torch import Tensor, nn

from toolkit.registry import LOSSES
from toolkit.structures import InputError

REDUCTIONS = ('batch_mean', 'sum', 'mean')


@LOSSES.register_module()
class KLLoss(nn.Module):
    r"""Kullback-Leibler divergence of N(mu, exp(logvar)) from N(0, 1), in nats.

    .. math:: \tfrac12 \sum_d \left(\mu_d^2 + e^{\lambda_d} - 1 - \lambda_d\right)

    Args:
        reduction: over samples and dimensions: ``'batch_mean'``, the sum over dimensions, mean over samples, so that its strength does
            not depend on the batch; ``'sum'`` over both, as BicycleGAN has it (made for batches of 2; at batch 8 its codes collapse;
            over several processes the mean of their sums); ``'mean'`` over both.

    Raises:
        InputError: unknown reduction.
    """

    inputs = ('mu', 'logvar')

    def __init__(self, reduction: str = 'batch_mean'):
        super().__init__()
        if reduction not in REDUCTIONS:
            raise InputError(f'reduction={reduction!r} of KLLoss is unknown, expected one of {", ".join(REDUCTIONS)}')
        self.reduction = reduction

    def forward(self, mu: Tensor, logvar: Tensor) -> Tensor:
        """Scalar, float32, of mu and logvar (B, D), the natural logarithm of the variance."""
        mu, logvar = mu.float(), logvar.float()
        nats = 0.5 * (mu.square() + logvar.exp() - 1 - logvar)
        if self.reduction == 'mean':
            return nats.mean()
        return nats.sum() if self.reduction == 'sum' else nats.sum(1).mean()

    def extra_repr(self) -> str:
        """Name the options."""
        return f'reduction={self.reduction!r}'
