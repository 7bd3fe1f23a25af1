"""L1 inside regions."""

import torch

from toolkit.losses.region_l1 import RegionL1Loss


def test_each_sample_counts_alike_whatever_the_size_of_its_region():
    fake, real, region = torch.zeros(2, 3, 8, 8), torch.zeros(2, 3, 8, 8), torch.zeros(2, 1, 8, 8)
    region[0, :, :4], region[1, :, :2] = 1, 1
    fake[0, :, :4], fake[1, :, :2] = 1, 3
    fake[:, :, 6:] = 100
    assert RegionL1Loss()(fake, real, region) == 2


def test_soft_regions_and_small_ones():
    fake, real, region = torch.ones(1, 3, 8, 8), torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8)
    region[..., :8, :4] = 0.5
    fake[..., :4, :4] = 3
    assert RegionL1Loss()(fake, real, region) == 2
    region.zero_()[..., 7, 7] = 1
    assert RegionL1Loss(min_area=4)(fake, real, region) == 0.25


def test_an_empty_region_adds_nothing_and_gradients_reach_the_fake_alone():
    fake, real = torch.ones(1, 3, 8, 8, requires_grad=True), torch.zeros(1, 3, 8, 8, requires_grad=True)
    region = torch.zeros(1, 1, 8, 8, requires_grad=True)
    loss = RegionL1Loss()(fake, real, region)
    loss.backward()
    assert loss == 0 and not fake.grad.any() and real.grad is None and region.grad is None
    RegionL1Loss()(fake, real, torch.ones(1, 1, 8, 8)).backward()
    assert (fake.grad == 1 / 192).all()
