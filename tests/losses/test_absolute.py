"""Mean absolute differences: the bits of autograd, in the order and precision of the maps."""

import pytest
import torch
import torch.nn.functional as F

from toolkit.channels_last import is_channels_last
from toolkit.losses.absolute import mean_absolute_difference


@pytest.mark.parametrize('dims', [None, (1, 2, 3), (-1,)])
def test_numbers_and_gradients_are_those_of_the_formula(dims):
    torch.manual_seed(0)
    fakes, real = [torch.randn(3, 5, 4, 6) for _ in range(2)], torch.randn(3, 5, 4, 6, requires_grad=True)
    fakes[0][0, 0, 0, 0] = real[0, 0, 0, 0].detach()
    ours, theirs = fakes[0].requires_grad_(), fakes[0].detach().clone().requires_grad_()
    made = mean_absolute_difference(ours, real, dims)
    true = F.l1_loss(theirs, real.detach()) if dims is None else (theirs - real.detach()).abs().mean(dims)
    out = torch.rand(true.shape)
    made.backward(out), true.backward(out)
    assert torch.equal(made, true) and torch.equal(ours.grad, theirs.grad) and real.grad is None
    assert ours.grad[0, 0, 0, 0] == 0


def test_half_precision_with_channels_last_stays_so():
    torch.manual_seed(0)
    fake, real = (torch.randn(2, 8, 6, 4).bfloat16().contiguous(memory_format=torch.channels_last) for _ in range(2))
    x = fake.clone().requires_grad_()
    made = mean_absolute_difference(x, real, (1, 2, 3))
    given, = torch.autograd.grad(made.sum(), x)
    assert made.dtype is torch.float32 and given.dtype is torch.bfloat16 and is_channels_last(given)
    torch.testing.assert_close(made, (fake.float() - real.float()).abs().mean((1, 2, 3)), rtol=4e-3, atol=0)
    torch.testing.assert_close(given.float(), (fake - real).float().sign() / 192, rtol=4e-3, atol=0)


def test_a_second_derivative_is_that_of_the_formula():
    fake, real = torch.randn(2, 3, dtype=torch.double, requires_grad=True), torch.randn(2, 3, dtype=torch.double)
    out = torch.rand(2, dtype=torch.double, requires_grad=True)
    given, = torch.autograd.grad((mean_absolute_difference(fake, real, (1,)) * out).sum(), fake, create_graph=True)
    again, = torch.autograd.grad(given.square().sum(), out)
    torch.testing.assert_close(again, 2 * out.detach() / 3)
