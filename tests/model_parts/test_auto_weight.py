"""A loss weight that follows the other losses."""

import pytest
import torch

from toolkit.model_parts.auto_weight import AutoWeight
from toolkit.structures import InputError


def test_auto_weight_follows_running_means_within_limits():
    options = dict(ratio=2.0, decay=0.5, limits=(1.0, 100.0), by='loss')
    weight = AutoWeight(**options)
    assert weight(torch.tensor(0.5), torch.tensor(4.0), [], 0).item() == pytest.approx(2 * 8)
    assert weight(torch.tensor(0.25), torch.tensor(4.0), [], 1).item() == pytest.approx(2 * 8**(1 / 3) * 16**(2 / 3))
    assert AutoWeight(**options)(torch.tensor(0.0), torch.tensor(4.0), [], 0).item() == 100
    assert AutoWeight(**options)(torch.tensor(9.0), torch.tensor(1e-3), [], 0).item() == 1
    again = AutoWeight(**options)
    again.load_state_dict(weight.state_dict())
    args = torch.tensor(0.3), torch.tensor(5.0), [], 2
    assert again(*args) == weight(*args)
    with pytest.raises(InputError, match='ratio'):
        AutoWeight(ratio=0)
    with pytest.raises(InputError, match='loss, gradient'):
        AutoWeight(by='size')


def test_auto_weight_by_gradients_at_the_pictures():
    pictures = [torch.randn(2, 3, 4, 4, requires_grad=True) for _ in range(2)]
    steep, flat = (sum((slope * p).sum() for p in pictures) for slope in (50.0, 1.0))
    weight = AutoWeight(ratio=0.5, by='gradient')(steep, flat, pictures, 0)
    assert weight.item() == pytest.approx(0.5 / 50) and not weight.requires_grad
    steep.backward()
    with torch.no_grad():
        weight = AutoWeight(ratio=0.5, limits=(0, 1e4), by='gradient')(torch.tensor(2.0), torch.tensor(3.0), pictures, 0)
        assert weight.item() == pytest.approx(0.75), 'by values where there are no gradients'
