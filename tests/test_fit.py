"""Networks that do not keep the contract of their registry are refused when a model is built, with both sides named."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers import adams
from tests.models import test_bicycle_gan as bicycle
from tests.models import test_video_pix2pixhd as video
from toolkit.fit import build_discriminator, build_generator, check_call
from toolkit.preparing.checks import check_maps
from toolkit.registry import DISCRIMINATORS, ENCODERS, GENERATORS, MODELS, POSE_NETWORKS, RESTORERS, WARPERS
from toolkit.structures import InputError


def register(registry, forward, takes_code=True):
    """A part of somebody's own, registered as Mine."""

    class Mine(nn.Module):
        def __init__(self, input_nc, z_dims=(0,), output_nc=3, sees=None):
            super().__init__()
            self.conv = nn.Conv2d(sees or input_nc, output_nc, 3, padding=1)

    class Plain(nn.Module):
        def __init__(self, input_nc):
            super().__init__()
            self.conv = nn.Conv2d(input_nc, 3, 3, padding=1)

    part = Mine if takes_code else Plain
    part.forward = forward
    part.__name__ = 'Mine'
    registry.register_module(module=part)


def full(self, x, z=None, regions=None):
    return torch.tanh(self.conv(x))


@pytest.fixture(autouse=True)
def own_parts():
    yield
    for registry in (GENERATORS, DISCRIMINATORS, ENCODERS, POSE_NETWORKS, RESTORERS, WARPERS):
        registry._module_dict.pop('Mine', None)


def test_one_that_fits_is_built_as_it_was():
    register(GENERATORS, full)
    torch.manual_seed(3)
    plain = GENERATORS.build(dict(type='Mine', input_nc=7))
    after = torch.rand(1)
    torch.manual_seed(3)
    network = build_generator(dict(type='Mine'), 'Method', 7, (3, 2))
    assert torch.equal(torch.rand(1), after), 'trying draws no random numbers'
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), network.parameters(), strict=True))
    assert network.training and all(p.device.type == 'cpu' for p in network.parameters())


@pytest.mark.parametrize('forward, options, z_dims, message', [
    (lambda self, x: x, {}, (3, 2), r'Method calls its generator as \(x, z, regions\), but Mine is called as \(x\)\..*GENERATORS'),
    (full, dict(output_nc=4), (3, 2), r'needs \(2, 3, 512, 512\), but Mine returned \(2, 4, 512, 512\)'),
    (lambda self, x, z=None, regions=None: self.conv(x)[..., ::2, ::2], {}, (), r'Mine returned \(2, 3, 256, 256\)'),
    (lambda self, x, z=None, regions=None: (x, z), {}, (3,), r'Mine returned \[\(2, 7, 512, 512\), \(2, 3\)\]'),
    (full, dict(sees=3), (3, 2), r'shapes \(2, 7, 512, 512\), .* but Mine has a layer for another number of channels'),
    (full, dict(z_dims=(4,)), (3, 2), r'model.generator.z_dims=\(4,\), but Method needs \(3, 2\): leave z_dims out'),
    (full, dict(input_nc=3), (3, 2), 'model.generator.input_nc=3, but Method needs 7: leave input_nc out'),
    (full, dict(z_dims=(4,)), (), 'Method gives its generators no code: leave z_dims out'),
])
def test_generators_that_do_not_fit(forward, options, z_dims, message):
    register(GENERATORS, forward)
    with pytest.raises(InputError, match=message):
        build_generator(dict(options, type='Mine'), 'Method', 7, z_dims)


def test_a_generator_without_a_code_in_a_method_that_has_one():
    with pytest.raises(InputError, match=r'BicycleGAN fills in z_dims=\(3,\), but the generator ResNetGenerator takes no z_dims'):
        MODELS.build(dict(
            type='BicycleGAN', losses=dict(gan=dict(type='GANLoss')), generator=dict(type='ResNetGenerator'),
            encoder=dict(type='RegionEncoder', encoder=dict(type='ResNetEncoder', nz=3, nef=4, n_down=3)),
            discriminator=dict(type='PatchGAN', ndf=4)))


def test_an_encoder_that_is_shown_no_region():
    with pytest.raises(InputError, match='ResNetEncoder.*a region encoder is expected here.*RegionEncoder'):
        MODELS.build(dict(type='BicycleGAN', losses=dict(gan=dict(type='GANLoss')), generator=dict(type='UNet'),
                          encoder=dict(type='ResNetEncoder', nz=3, nef=4, n_down=3), discriminator=dict(type='PatchGAN')))


@pytest.mark.parametrize('forward, right', [
    (lambda self, x: self.conv(x), False), (lambda self, x: [self.conv(x)], False), (lambda self, x: [[self.conv(x)]], True)])
def test_discriminators(forward, right):
    register(DISCRIMINATORS, forward, takes_code=False)
    if right:
        assert build_discriminator(dict(type='Mine'), 'Method', 6)
        return
    with pytest.raises(InputError, match=r'Method calls its discriminator.*needs a list of scales.*but Mine returned.*DISCRIMINATORS'):
        build_discriminator(dict(type='Mine'), 'Method', 6)


@pytest.mark.parametrize('forward', [
    lambda self, x, z=None, regions=None: self.conv(x) if x.mean().item() < 9 else x,
    lambda self, x, z=None, regions=None: self.conv(x).view(2, 3, 96, 64),
    lambda self, x, z=None, regions=None: self.conv(x) + torch.zeros(96, 64)])
def test_what_shapes_alone_cannot_tell_is_left_to_the_first_step(forward):
    register(GENERATORS, forward)
    assert build_generator(dict(type='Mine'), 'Method', 7, ())


def test_trying_leaves_a_network_as_it_is():
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(), nn.Conv2d(3, 3, 1))
    network[1].eval()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    check_call(GENERATORS, network, 'Method', 'model.generator', dict(x=(2, 3, 8, 8)), (2, 3, 8, 8))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert network.training and network[0].training and not network[1].training


@pytest.mark.parametrize('generator', [dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1), dict(type='UNet', n_down=3, ngf=4)])
def test_each_generator_paints_with_and_without_a_code(generator):
    x, regions = torch.randn(2, 7, 16, 16), torch.rand(2, 2, 16, 16)
    coded = build_generator(generator, 'Method', 7, (3, 2))
    plain = build_generator(generator, 'Method', 7, ())
    assert coded(x, torch.randn(2, 5), regions).shape == plain(x, None, None).shape == (2, 3, 16, 16)


@pytest.mark.parametrize('generator', [dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1), dict(type='UNet', n_down=2, ngf=4)])
def test_generators_take_each_others_place(generator):
    model = MODELS.build(dict(
        type='BicycleGAN', losses=dict(gan=dict(type='GANLoss'), l1=dict(type='L1Loss', weight=10.0, of='frames')), generator=generator,
        encoder=dict(type='RegionEncoder', encoder=dict(type='ResNetEncoder', nz=3, nef=4, n_down=3)),
        discriminator=dict(type='PatchGAN', ndf=4, n_layers=1)))
    logs = model.train_step(bicycle.batch_of(model), bicycle.optimizers(model))
    assert 0 < logs['g/l1'] < 20 and any(p.abs().max() for p in model.net_e.network.mu.parameters())
    model = MODELS.build(dict(
        type='VideoPix2PixHD', losses=dict(gan=dict(type='GANLoss')), generator=generator,
        color_codes=dict(up=dict(encoder=dict(type='ResNetEncoder', nz=3, nef=4, n_down=3)),
                          down=dict(encoder=dict(type='ResNetEncoder', nz=2, nef=4, n_down=3))),
        discriminator=dict(type='PatchGAN', ndf=4, n_layers=1)))
    assert model.train_step(video.batch_of(model), adams(model))['g/gan'] > 0


LOSSES = dict(gan=dict(type='GANLoss'))
SMALL = dict(type='PatchGAN', ndf=4, n_layers=1)


@pytest.mark.parametrize('registry, options, attributes, message', [
    (RESTORERS, dict(type='FeatureRestoration', generator=dict(type='Mine'), discriminator=SMALL, losses=LOSSES), {},
     'model.generator: FeatureRestoration needs input_nc, config of its restoration network, but Mine has no input_nc, config'),
    (RESTORERS, dict(type='FeatureRestoration', generator=dict(type='Mine'), discriminator=SMALL, losses=LOSSES),
     dict(input_nc=8, config={}), r'needs \(2, 4, 512, 512\), but Mine returned \(2, 5, 512, 512\)'),
    (POSE_NETWORKS, dict(type='PoseTraining', network=dict(type='Mine')), dict(stride=4),
     'PoseTraining needs stride, multiple, height, config of its pose network, but Mine has no multiple, height, config'),
    (POSE_NETWORKS, dict(type='PoseTraining', network=dict(type='Mine')), dict(stride=4, multiple=8, height=96, config={}),
     r'needs \[\(2, 19, 1024, 1024\), \(2, 38, 1024, 1024\)\], but Mine returned \(2, 5, 4096, 4096\)'),
    (WARPERS, dict(type='WarpedFeatures', warper=dict(type='Mine')), {},
     r'FeatureMaps calls its warper as \(maps, source_pose, target_pose, source_parts\), but Mine is called as \(x\)\..*WARPERS'),
    (ENCODERS, dict(type='BicycleGAN', encoder=dict(type='RegionEncoder', encoder=dict(type='Mine')), generator=dict(type='UNet'),
                    discriminator=SMALL, losses=LOSSES), dict(nz=5),
     r'RegionEncoder calls its encoder as .* needs \[\(2, 5\), \(2, 5\)\], but Mine returned \(2, 5, 512, 512\)')])
def test_other_networks(registry, options, attributes, message):
    class Mine(nn.Module):
        def __init__(self):
            super().__init__()
            vars(self).update(attributes)

        def forward(self, x):
            return x[:, :1].expand(-1, 5, -1, -1)

    registry.register_module(module=Mine)
    with pytest.raises(InputError, match=message):
        MODELS.build(options)


@pytest.mark.parametrize('maps, message', [
    (np.zeros((2, 8, 6, 1)), r'returned 2 maps of the shape \(8, 6, 1\); expected 2 of \(8, 6\), one for each frame'),
    ([np.zeros((8, 6)), np.zeros((8, 3))], r'2 maps of the shape \(8, 3\), \(8, 6\); expected 2 of \(8, 6\)'),
    (np.zeros((1, 8, 6)), r'1 maps of the shape \(8, 6\); expected 2'),
    (np.full((2, 8, 6), 255, np.uint8), 'the segmentor object returned values from 255 to 255; expected 0 to 1'),
    (np.full((2, 8, 6), np.nan), 'returned values from nan to nan'),
    (np.stack([np.zeros((8, 6)), np.full((8, 6), np.nan)]), 'returned values from nan to nan')])
def test_maps_of_a_preparation(maps, message):
    with pytest.raises(InputError, match=message):
        check_maps('segmentor', object(), maps, np.zeros((2, 8, 6, 3), np.uint8))


@pytest.mark.parametrize('maps', [np.ones((2, 8, 6), bool), np.linspace(0, 1, 96).reshape(2, 8, 6), np.zeros((2, 8, 6), np.uint8)])
def test_maps_that_fit(maps):
    assert check_maps('segmentor', object(), list(maps), np.zeros((2, 8, 6, 3), np.uint8)) is None
