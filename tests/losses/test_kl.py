"""KL divergence of codes from the prior."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from toolkit.losses.kl import KLLoss
from toolkit.structures import InputError


def test_agrees_with_torch_in_every_reduction():
    torch.manual_seed(0)
    mu, logvar = torch.randn(4, 3), torch.randn(4, 3)
    nats = kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(torch.zeros(4, 3), torch.ones(4, 3)))
    for reduction, expected in [('sum', nats.sum()), ('batch_mean', nats.sum() / 4), ('mean', nats.mean())]:
        torch.testing.assert_close(KLLoss(reduction)(mu, logvar), expected)


@pytest.mark.parametrize('reduction', ['sum', 'batch_mean', 'mean'])
def test_value_and_gradient_are_zero_at_the_prior(reduction):
    mu, logvar = torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
    loss = KLLoss(reduction)(mu, logvar)
    loss.backward()
    assert loss == 0 and not mu.grad.any() and not logvar.grad.any()


def test_strength_and_the_batch():
    mu, logvar = torch.ones(2, 3), torch.zeros(2, 3)
    twice = torch.cat([mu, mu]), torch.cat([logvar, logvar])
    assert KLLoss('batch_mean')(*twice) == KLLoss('batch_mean')(mu, logvar) == 1.5
    assert KLLoss('sum')(*twice) == 2 * KLLoss('sum')(mu, logvar) == 6


def test_unknown_reduction():
    with pytest.raises(InputError, match="'none'.*batch_mean"):
        KLLoss('none')
