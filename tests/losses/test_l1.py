"""L1Loss: against PyTorch, and the weighted mean by hand."""

import torch

from toolkit.losses.l1 import L1Loss


def test_agrees_with_pytorch():
    fake, real = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(L1Loss()(fake, real), torch.nn.functional.l1_loss(fake, real))
    torch.testing.assert_close(L1Loss()(fake, real, torch.ones(2, 1, 4, 5)), torch.nn.functional.l1_loss(fake, real))


def test_mask_selects_pixels():
    fake, real, mask = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5), torch.zeros(2, 1, 4, 5)
    mask[0, 0, 1, 2] = mask[1, 0, 3, 4] = 1
    expected = torch.stack([(fake - real)[0, :, 1, 2], (fake - real)[1, :, 3, 4]]).abs().mean()
    torch.testing.assert_close(L1Loss()(fake, real, mask), expected)
    torch.testing.assert_close(L1Loss()(fake, real, mask / 2), expected)


def test_empty_mask_gives_zero_loss_and_gradient():
    fake = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss = L1Loss()(fake, torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4))
    loss.backward()
    assert loss.item() == 0
    assert fake.grad.abs().max() == 0


def test_real_is_a_constant():
    fake, real = (torch.randn(1, 3, 4, 4, requires_grad=True) for _ in range(2))
    L1Loss()(fake, real).backward()
    assert fake.grad is not None
    assert real.grad is None
