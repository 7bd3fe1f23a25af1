"""Input of the discriminator of windows: order of the channels, use with a discriminator, gradients to every frame."""

import pytest
import torch

from toolkit.discriminators.multiscale import MultiscaleDiscriminator
from toolkit.losses.gan import GANLoss
from toolkit.models.video_pix2pixhd import pack
from toolkit.structures import InputError


def test_order_is_conditions_then_frames_each_in_order_of_time():
    conditions = torch.tensor([[10.0, 11, 12, 13], [20, 21, 22, 23]]).reshape(1, 2, 4, 1, 1).expand(3, 2, 4, 2, 5)
    frames = torch.tensor([[1.0, 2, 3], [4, 5, 6]]).reshape(1, 2, 3, 1, 1).expand(3, 2, 3, 2, 5)
    packed = pack(conditions, frames)
    assert packed.shape == (3, 14, 2, 5)
    assert packed[1, :, 1, 2].tolist() == [10, 11, 12, 13, 20, 21, 22, 23, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize('frames', [1, 2, 3])
def test_any_number_of_frames(frames):
    packed = pack(torch.zeros(2, frames, 4, 8, 6), torch.zeros(2, frames, 3, 8, 6))
    assert packed.shape == (2, 7 * frames, 8, 6)


def test_non_contiguous_input():
    conditions, frames = torch.randn(2, 2, 4, 3, 5), torch.randn(2, 2, 3, 3, 5)
    strided = pack(conditions.transpose(3, 4).contiguous().transpose(3, 4), frames.flip(0).flip(0))
    torch.testing.assert_close(strided, pack(conditions, frames))


def test_a_gan_loss_reaches_every_frame():
    torch.manual_seed(0)
    discriminator = MultiscaleDiscriminator(14, ndf=4, num_scales=2)
    conditions, frames = torch.randn(2, 2, 4, 32, 24), torch.randn(2, 2, 3, 32, 24, requires_grad=True)
    GANLoss('hinge')(discriminator(pack(conditions, frames))).backward()
    assert (frames.grad.abs().sum((2, 3, 4)) > 0).all()


@pytest.mark.parametrize('conditions, frames', [
    ((2, 2, 4, 8, 8), (2, 3, 3, 8, 8)), ((2, 2, 4, 8, 8), (1, 2, 3, 8, 8)),
    ((2, 2, 4, 8, 8), (2, 2, 3, 8, 4)), ((2, 4, 8, 8), (2, 3, 8, 8))])
def test_mismatch_is_refused(conditions, frames):
    with pytest.raises(InputError, match='equal B, T, H and W'):
        pack(torch.zeros(conditions), torch.zeros(frames))
