"""The small generator of students: its size, what its outputs see, and errors."""

import pytest
import torch

from tests.helpers import count
from toolkit.registry import GENERATORS
from toolkit.structures import InputError


@pytest.mark.parametrize('options, parameters', [
    (dict(output_nc=6), 799_902), (dict(ngf=28, n_down=2, n_blocks=3, output_nc=6), 846_358)])
def test_it_has_its_parameters(options, parameters):
    with torch.device('meta'):
        assert count(GENERATORS.build(dict(type='CompactGenerator', input_nc=14, **options))) == parameters


def test_every_pixel_of_the_input_counts_and_the_picture_is_bounded():
    torch.manual_seed(0)
    net = GENERATORS.build(dict(type='CompactGenerator', input_nc=2, ngf=4, n_down=1, n_blocks=1, last=4))
    x = torch.randn(1, 2, 16, 24, requires_grad=True)
    picture = net(x)
    assert picture.shape == (1, 3, 16, 24) and picture.abs().max() < 1
    picture[0, :, 7, 11].sum().backward()
    assert (x.grad != 0).all(), 'norms see the whole picture'


def test_it_draws_at_the_size_of_the_picture():
    """Neighbors that share a cell of the half size are painted independently."""
    torch.manual_seed(0)
    net = GENERATORS.build(dict(type='CompactGenerator', input_nc=1, ngf=4, n_down=1, n_blocks=0, last=4))
    torch.nn.init.normal_(net.spread.weight)
    torch.nn.init.normal_(net.head.weight)
    picture = net(torch.randn(1, 1, 16, 16))
    assert (picture[..., ::2, :] - picture[..., 1::2, :]).abs().mean() > .05


def test_a_code_and_a_size_that_does_not_fit_are_refused():
    net = GENERATORS.build(dict(type='CompactGenerator', input_nc=1, n_down=2))
    with pytest.raises(InputError, match='without a code'):
        net(torch.zeros(1, 1, 64, 64), torch.zeros(1, 4))
    with pytest.raises(InputError, match='multiples of 8'):
        net(torch.zeros(1, 1, 60, 64))
