"""L1 inside regions."""

import pytest
import torch

from toolkit.losses.region_l1 import RegionL1Loss
from toolkit.structures import InputError


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
    assert RegionL1Loss(min_area=0)(fake, real, region) == 0, 'also where a region of any size counts as it is'


def test_cells_compare_mean_colors_and_no_detail():
    torch.manual_seed(0)
    real, region = torch.rand(2, 3, 10, 14), torch.zeros(2, 1, 10, 14)
    region[:, :, 2:8, 4:12] = 1
    detail = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(5, 7)
    assert RegionL1Loss()(real + detail, real, region).item() == pytest.approx(1, rel=1e-5)
    assert RegionL1Loss(cell=2)(real + detail, real, region).item() == pytest.approx(0, abs=1e-6)
    for cell in (1, 2, 4, 5, 32):
        assert RegionL1Loss(cell=cell)(real + 0.25, real, region).item() == pytest.approx(0.25, rel=1e-5)
    with pytest.raises(InputError, match='cell=0'):
        RegionL1Loss(cell=0)
