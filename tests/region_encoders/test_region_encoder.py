"""What a garment's encoder sees, and what its checkpoint knows."""

import pytest
import torch

from toolkit.region_encoders.region_encoder import RegionEncoder
from toolkit.registry import REGION_ENCODERS
from toolkit.structures import InputError
from toolkit.weights import unpack_config


def build(region='up', sees='region', **network):
    torch.manual_seed(0)
    return RegionEncoder(dict(type='ResNetEncoder', nz=3, nef=4, n_down=3, **network), region, sees)


def batch():
    torch.manual_seed(1)
    images, regions, masks = torch.randn(2, 3, 32, 32), torch.zeros(2, 2, 32, 32), torch.zeros(2, 1, 32, 32)
    masks[:, :, 4:28, 8:24] = 1
    regions[:, 0, 2:18, 4:28] = 1
    regions[:, 1, 14:30, 4:28] = 1
    return images, regions, masks


PLACES = dict(upper=(slice(4, 14), slice(8, 24)), lower=(slice(18, 28), slice(8, 24)), both=(slice(14, 18), slice(8, 24)),
              room_in_the_region=(slice(4, 16), slice(4, 8)), room=(slice(0, 2), slice(0, 32)))


@pytest.mark.parametrize('region, sees, visible', [
    ('up', 'region', {'upper'}), ('down', 'region', {'lower'}), ('up', 'body', {'upper', 'lower', 'both'}),
    ('down', 'whole', set(PLACES))])
def test_it_sees_its_pixels_and_no_others(region, sees, visible):
    net, (images, regions, masks) = build(region, sees), batch()
    with torch.no_grad():
        mu = net(images, regions, masks)[0]
        for name, (rows, columns) in PLACES.items():
            changed = images.clone()
            changed[:, :, rows, columns] += 1
            assert torch.equal(net(changed, regions, masks)[0], mu) is (name not in visible), name


def test_hidden_pixels_are_mid_gray():
    net, (images, regions, masks) = build(), batch()
    seen = net.visible(images, regions, masks)
    assert torch.equal(seen[:, :, 4:14, 8:24], images[:, :, 4:14, 8:24])
    assert seen.count_nonzero() == seen[:, :, 4:14, 8:24].count_nonzero()


def test_at_a_fixed_size_it_sees_the_same_in_larger_pictures():
    images, regions, masks = batch()
    small = RegionEncoder(dict(type='ResNetEncoder', nz=3, nef=4, n_down=3), 'up', size=(32, 32))
    larger = [x.repeat_interleave(3, -1).repeat_interleave(2, -2) for x in (images, regions, masks)]
    with torch.no_grad():
        expected = small(images, regions, masks)
        for one, other in zip(small(*larger), expected):
            torch.testing.assert_close(one, other)
        small.size = None
        assert not torch.allclose(small(*larger)[0], expected[0])
    assert small.config['size'] == [32, 32]


def test_it_can_be_rebuilt_from_its_own_state():
    net = build('down', 'body', norm='instance')
    net.observe(torch.randn(8, 3))
    state = net.state_dict()
    again = REGION_ENCODERS.build(unpack_config(state['_extra_state']))
    again.load_state_dict(state)
    assert again.config == net.config and torch.equal(again.code_mean, net.code_mean)
    assert torch.equal(again(*batch())[0], net(*batch())[0])


@pytest.mark.parametrize('other, message', [
    (dict(sees='body'), "sees='region'.*'body'"), (dict(region='down'), "region='up'.*'down'"),
    (dict(norm='instance'), "norm='none'.*'instance'")])
def test_weights_of_an_encoder_that_sees_or_works_differently_are_refused(other, message):
    with pytest.raises(InputError, match=message):
        build(**other).load_state_dict(build().state_dict())


def test_where_the_codes_lie():
    net = build()
    assert torch.equal(net.code_std, torch.ones(3))
    mean, square = torch.zeros(3), torch.ones(3)
    for n in range(3):
        mu = 2 + n + torch.randn(8, 3)
        net.observe(mu)
        decay = (1 + n) / (10 + n)
        mean, square = decay * mean + (1 - decay) * mu.mean(0), decay * square + (1 - decay) * mu.square().mean(0)
    torch.testing.assert_close(net.code_mean, mean)
    torch.testing.assert_close(net.code_std, (square - mean.square()).sqrt())
    torch.manual_seed(2)
    for _ in range(300):
        net.observe(torch.tensor([3., 0., -1.]) + torch.tensor([1., 0.5, 2.]) * torch.randn(64, 3))
    torch.testing.assert_close(net.code_mean, torch.tensor([3., 0., -1.]), atol=0.1, rtol=0)
    torch.testing.assert_close(net.code_std, torch.tensor([1., 0.5, 2.]), atol=0.1, rtol=0)


def test_unknown_options():
    with pytest.raises(InputError, match="region='upper'.*up, down"):
        build(region='upper')
    with pytest.raises(InputError, match="sees='face'"):
        build(sees='face')
