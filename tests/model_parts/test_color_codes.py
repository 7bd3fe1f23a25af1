"""Encoders of stage I in the service of stage II."""

import pytest
import torch

from toolkit.model_parts.color_codes import KEPT_CODES, MIN_STD, ColorCodes
from toolkit.region_encoders.region_encoder import RegionEncoder
from toolkit.registry import MODELS, REGION_ENCODERS
from toolkit.structures import InputError, MissingWeightsError
from toolkit.weights import load_network, use_packed_configs


def stage1(region, nz, seed):
    torch.manual_seed(seed)
    model = MODELS.build(dict(
        type='BicycleGAN', losses=dict(gan=dict(type='GANLoss')), generator=dict(type='UNet', n_down=2, ngf=2),
        encoder=dict(type='RegionEncoder', region=region, encoder=dict(type='ResNetEncoder', nz=nz, nef=4, n_down=3, norm='group32')),
        discriminator=dict(type='BicycleDiscriminator', ndf=2, n_layers=2)))
    for _ in range(50):
        model.net_e.observe(seed + torch.tensor([2.0, 0.001] + [1.0] * (nz - 2)) * torch.randn(64, nz))
    return model


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Work dirs of two stage I runs, and their models."""
    root, models = tmp_path_factory.mktemp('runs'), dict(up=stage1('up', 4, 1), down=stage1('down', 3, 2))
    for region, model in models.items():
        (root / region).mkdir()
        torch.save(dict(state_dict=stage1(region, 4, 7).state_dict(), meta={}), root / region / 'iter_0000002.pth')
        torch.save(dict(state_dict=model.state_dict(), meta={}), root / region / 'iter_0000010.pth')
    return root, {region: model.eval() for region, model in models.items()}


def batch():
    torch.manual_seed(0)
    return torch.randn(2, 3, 32, 32), torch.rand(2, 2, 32, 32), torch.rand(2, 1, 32, 32)


def test_an_encoder_comes_back_from_its_checkpoint_alone(runs):
    root, models = runs
    encoder = load_network(REGION_ENCODERS, root / 'down' / 'iter_0000010.pth', 'net_e.', 'color encoder', 'stage I')
    assert encoder.config == models['down'].net_e.config and encoder.region == 'down' and encoder.nz == 3
    assert not encoder.training and not any(p.requires_grad for p in encoder.parameters())
    for mine, theirs in zip(encoder(*batch()), models['down'].encode(*batch())):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize('up', ['up', 'up/iter_0000010.pth'])
def test_codes_are_both_means_standardized(runs, up):
    root, models = runs
    codes = ColorCodes(str(root / up), root / 'down')
    z = codes(*batch())
    assert codes.z_dims == (4, 3) and z.shape == (2, 7) and not z.requires_grad
    for part, model in zip(z.split((4, 3), 1), models.values()):
        encoder = model.net_e
        torch.testing.assert_close(part, (model.encode(*batch())[0] - encoder.code_mean) / encoder.code_std.clamp_min(MIN_STD))
    assert codes.std[1] == MIN_STD and codes.std[0] > 1.5, 'a dimension that says nothing is not blown up'


def test_mean_and_spread_can_be_measured_again(runs):
    codes = ColorCodes(runs[0] / 'up', runs[0] / 'down')
    mu = 5 + torch.tensor([1., 2, 3, 4, 5, 6, 7]) * torch.randn(4000, 7)
    codes.fit(mu)
    torch.testing.assert_close(codes.mean, mu.mean(0))
    torch.testing.assert_close(codes.std, torch.arange(1., 8), rtol=0.1, atol=0)
    with pytest.raises(InputError, match=r'\(4000, 6\).*length 7'):
        codes.fit(mu[:, :6])


def test_they_stay_frozen_in_a_model_that_trains(runs):
    codes = ColorCodes(runs[0] / 'up', runs[0] / 'down')
    outer = torch.nn.ModuleList([codes, torch.nn.Linear(1, 1)]).train()
    assert outer[1].training and not any(m.training for m in codes.modules())
    assert not any(p.requires_grad for p in codes.parameters())


def test_a_model_of_stage_two_needs_no_files_of_stage_one(runs):
    codes = ColorCodes(runs[0] / 'up', runs[0] / 'down')
    state = codes.state_dict()
    config = dict(color_codes=dict(up='gone', down='gone'))
    use_packed_configs(config, {f'color_codes.{k}': v for k, v in state.items()})
    again = ColorCodes(**config['color_codes'])
    assert not torch.equal(again(*batch()), codes(*batch()))
    again.load_state_dict(state)
    assert torch.equal(again(*batch()), codes(*batch()))


def test_encoders_can_learn_with_what_they_serve():
    network = dict(type='ResNetEncoder', nz=2, nef=4, n_down=3)
    codes = ColorCodes(dict(encoder=network), dict(encoder=network), frozen=False).train()
    codes(*batch()).square().sum().backward()
    learning = {name: p.grad is not None for name, p in codes.named_parameters() if p.requires_grad}
    assert all(learning.values()) and len(learning) > 20 and not any('logvar' in name for name in learning)
    assert codes.training and codes.up.training and isinstance(codes.up, RegionEncoder)


def test_a_missing_checkpoint_says_how_to_make_it(tmp_path, runs):
    with pytest.raises(MissingWeightsError, match=r"'down'.*nowhere.*tools/train.py configs/stage1_bicyclegan_down.py"):
        ColorCodes(runs[0] / 'up', tmp_path / 'nowhere')


def test_wrong_checkpoints(tmp_path, runs):
    with pytest.raises(InputError, match="'up'.*of region 'down'"):
        ColorCodes(runs[0] / 'down', runs[0] / 'down')
    other = tmp_path / 'other.pth'
    torch.save(dict(state_dict={'net_g.weight': torch.zeros(1)}), other)
    with pytest.raises(InputError, match=r"other.pth holds no color encoder.*stage1_bicyclegan_up"):
        ColorCodes(other, other)
    torch.save(dict(state_dict={k: v for k, v in runs[1]['up'].state_dict().items() if 'stem' not in k}), other)
    with pytest.raises(InputError, match='2 missing in the file.*stem'):
        ColorCodes(other, other)


def test_samples_are_codes_of_training():
    network = dict(type='ResNetEncoder', nz=2, nef=4, n_down=3)
    codes = ColorCodes(dict(encoder=network), dict(encoder=network), frozen=False)
    assert (torch.cov(codes.sample(4000, 1).T) - torch.eye(4)).abs().max() < 0.1, 'N(0, 1) before any'
    for start in range(0, 3 * KEPT_CODES, 6):
        codes.observe(torch.arange(start, start + 6.)[:, None].expand(-1, 4))
    samples = codes.sample(4000, 1)
    assert samples.min() == 2 * KEPT_CODES and samples.max() == 3 * KEPT_CODES - 1, 'the last ones'
    assert torch.equal(samples[:, 0], samples[:, 1]) and torch.equal(samples[:, 2], samples[:, 3]), 'a garment is of one frame'
    assert abs(torch.corrcoef(samples.T)[0, 2]) < 0.1, 'the two garments are of different frames'
    assert torch.equal(codes.sample(5, 1), samples[:5]) and not torch.equal(codes.sample(5, 2), samples[:5])
