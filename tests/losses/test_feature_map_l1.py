"""Weighted L1 of feature maps, by hand."""

import pytest
import torch

from toolkit.losses.feature_map_l1 import FeatureMapL1Loss


def maps():
    """Empty real map of 2 x 2 pixels with one edge pixel, and an empty mask."""
    real = -torch.ones(1, 4, 2, 2)
    real[0, 3, 0, 0] = 0.0  # 0.5 in [0, 1], an edge
    return real, torch.zeros(1, 1, 2, 2)


def error_at(real, channel, row, column):
    fake = real.clone()
    fake[0, channel, row, column] += 0.25
    return fake


@pytest.mark.parametrize('channel, place, inside, expected', [
    (0, (0, 0), False, 1), (0, (0, 0), True, 2), (3, (0, 0), False, 5), (3, (0, 0), True, 10), (3, (1, 1), False, 1),
    (3, (1, 1), True, 2)])
def test_weights(channel, place, inside, expected):
    real, mask = maps()
    mask[0, 0][place] = float(inside)
    loss = FeatureMapL1Loss()(error_at(real, channel, *place), real, mask)
    assert loss.item() == pytest.approx(expected * 0.25 / 16)


def test_threshold_of_an_edge_is_a_fifth():
    real, mask = maps()
    for value, expected in ((0.19, 1), (0.21, 5)):
        real[0, 3, 0, 0] = 2 * value - 1
        assert FeatureMapL1Loss()(error_at(real, 3, 0, 0), real, mask).item() == pytest.approx(expected * 0.25 / 16)


def test_weights_of_one_give_the_plain_mean():
    fake, real = torch.randn(2, 4, 5, 6), torch.randn(2, 4, 5, 6)
    loss = FeatureMapL1Loss(edge_weight=0, mask_weight=1)(fake, real, torch.rand(2, 1, 5, 6))
    torch.testing.assert_close(loss, (fake - real).abs().mean())


def test_only_the_fake_map_gets_a_gradient():
    fake, real, mask = (torch.rand(1, c, 4, 4, requires_grad=True) for c in (4, 4, 1))
    FeatureMapL1Loss()(fake, real, mask).backward()
    assert fake.grad is not None and real.grad is None and mask.grad is None
