"""The generator that blends: what it copies, from where, with any body, and within its method."""

from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict

from toolkit.datasets.footage import References
from toolkit.engine.flops import count_flops
from toolkit.registry import GENERATORS, MODELS
from toolkit.structures import InputError

H, W = 64, 48
BODIES = dict(
    GlobalGenerator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1),
    LocalEnhancer=dict(type='LocalEnhancer', ngf=8, n_down=2, n_blocks=1, n_local_blocks=1),
    UNet=dict(type='UNet', ngf=8, n_down=3), ResNetGenerator=dict(type='ResNetGenerator', ngf=8, n_blocks=1))


@GENERATORS.register_module()
class Says(torch.nn.Module):
    """A body that says the same everywhere: painted black, what the test wants of matte and weights."""

    def __init__(self, input_nc, output_nc, says):
        super().__init__()
        assert len(says) == output_nc
        self.says = says

    def forward(self, x, z=None, regions=None):
        return torch.tensor(self.says)[None, :, None, None].expand(len(x), -1, *x.shape[2:])


def blend(says, **kwargs):
    return GENERATORS.build(dict(type='BlendGenerator', input_nc=15, first=1, references=2, plate=True,
                                 generator=dict(type='Says', says=says), **kwargs))


def x_of(coverage=(1., 1.)):
    """One map, references of the values .2 and .4 with coverages 0..1 (1 in the first row), the plate .6, the previous frame."""
    values = [0.] + [.2] * 3 + [2 * coverage[0] - 1] + [.4] * 3 + [2 * coverage[1] - 1] + [.6] * 3 + [.9] * 3
    x = torch.tensor(values)[None, :, None, None].repeat(1, 1, 5, 4)
    x[:, [4, 8], 0] = 1
    return x


@pytest.mark.parametrize('weights, coverage, value', [
    ((0., 0., 0.), (1, 1), .2), ((0., 0., 0.), (0, 1), .4), ((0., 0., 0.), (0, 0), -1), ((-1., -1., 1.), (1, 1), -1),
    ((1., -1., -1.), (1, 1), .2), ((-1., 1., -1.), (1, 1), .4), ((0., .6, -1.), (1, 1), .3), ((1., 1., -1.), (0, 0), -1)])
def test_weights_choose_among_what_is_shown(weights, coverage, value):
    picture = blend([-1., -1., -1., 1., *weights])(x_of(coverage))
    assert picture.shape == (1, 3, 5, 4)
    assert torch.allclose(picture[:, :, 1:], torch.tensor(float(value)), atol=.1)


@pytest.mark.parametrize('matte, coverage, value', [
    (-1., (1, 1), .2), (-1., (0, 1), .6), (-1., (1, 0), .6), (1., (1, 1), .2),
    (0., (1, 1), .2), (0., (0, .5), .5), (0., (0, 0), .6), (1., (0, .5), .4)])
def test_the_matte_puts_the_person_before_the_empty_scene(matte, coverage, value):
    picture = blend([-1., -1., -1., matte, 1., .5, -1.])(x_of(coverage))
    assert torch.allclose(picture[:, :, 1:], torch.tensor(value), atol=.05)


def test_nobody_is_painted_where_no_reference_shows_anything():
    x = torch.cat([x_of((0, 0)), x_of((0, 0))])
    x[0, [4, 8]] = -1
    nobody, somebody = blend([-1., -1., -1., 1., 1., 1., -1.])(x)
    assert torch.equal(nobody, torch.full_like(nobody, .6))
    assert torch.allclose(somebody[:, 1:], torch.tensor(-1.), atol=.05)


def test_the_scene_does_not_shine_through_where_all_references_show_the_person():
    x = x_of()[:, :, 1:].repeat(1, 1, 50, 50)
    x[:, [4, 8], :, :60] = x[:, [4, 8], :, 140:] = -1  # columns 60 to 139 are covered, in the second reference from 80 on
    x[:, 8, :, 60:80] = -1
    picture = blend([-1., -1., -1., -1., 1., .5, -1.])(x)[0, 0, 100]
    assert torch.allclose(picture[84:136], torch.tensor(.2), atol=.05)
    assert torch.allclose(picture[:83], torch.tensor(.6), atol=.05) and torch.allclose(picture[137:], torch.tensor(.6), atol=.05)


def test_garments_take_the_color_of_what_is_painted_and_keep_their_brightness():
    net = GENERATORS.build(dict(type='BlendGenerator', input_nc=10, first=1, references=1, plate=True, garments=True,
                                generator=dict(type='Says', says=[.8, -.4, -.4, 1., 0., -1.])))
    values = torch.tensor([0., .1, .1, .1, 1., -1., -1., .6, .6, .6])[None, :, None, None].repeat(1, 1, 4, 4)
    values[:, 5, 2:] = 1
    with torch.no_grad():
        picture = net(values)[0]
    assert torch.allclose(picture[:, :2], torch.tensor(.1), atol=.02), 'skin and hair are copied'
    worn = picture[:, 2:].mean((1, 2))
    assert abs((worn * torch.tensor([.299, .587, .114])).sum() - .1) < .02 and worn[0] - worn[1] > 1.1 and worn[1] == worn[2]


def test_a_code_acts_where_garments_are_carried_to():
    seen = []

    class Notes(Says):
        def forward(self, x, z=None, regions=None):
            seen.append(regions)
            return super().forward(x, z, regions)

    net = GENERATORS.build(dict(type='BlendGenerator', input_nc=10, first=1, references=1, plate=True, garments=True,
                                generator=dict(type='Says', says=[0., 0., 0., 1., 0., -1.])))
    net.painter = Notes(10, 6, [0., 0., 0., 1., 0., -1.])
    values = torch.full((1, 10, 2, 2), -1.)
    values[:, 4, 0], values[:, 5, 0, 0] = 1., 1.
    net(values, None, torch.full((1, 2, 2, 2), .5))
    assert torch.allclose(seen[0][0], torch.tensor([[[1., 0.], [.5, .5]], [[0., 0.], [.5, .5]]]))


def test_without_blending_the_body_paints_the_person():
    assert torch.allclose(blend([-.5, -.5, -.5, 1.], blend=False)(x_of()), torch.tensor(-.5), atol=.01)


def test_nothing_to_blend_is_refused():
    for options in (dict(), dict(references=2, blend=False)):
        with pytest.raises(InputError, match='nothing to blend: set feature_maps'):
            GENERATORS.build(dict(type='BlendGenerator', input_nc=15, generator=BODIES['UNet'], **options))


def model_of(body, z_dims=None, discriminator_view=None, **feature_maps):
    torch.manual_seed(0)
    generator = dict(type='BlendGenerator', generator=dict(BODIES[body]))
    if z_dims:
        generator['z_dims'] = z_dims
    return MODELS.build(dict(
        type='VideoPix2PixHD', generator=generator,
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=2),
        losses=dict(gan=dict(type='GANLoss'), l1=dict(type='L1Loss')), discriminator_view=discriminator_view,
        feature_maps=dict(references=2, plate=True) | feature_maps))


OPTIMIZERS = dict(g=dict(networks=['net_g'], type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3)),
                  d=dict(networks=['net_d'], type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3)))


@pytest.mark.parametrize('body', BODIES)
def test_every_generator_can_be_the_body(body):
    model = model_of(body)
    optimizers = OptimWrapperDict(**{key: OptimWrapper(torch.optim.Adam(network.parameters(), 1e-3))
                                     for key, network in (('g', model.net_g), ('d', model.net_d))})
    before = [p.clone() for p in model.net_g.parameters()]
    batch = model.example_batch(H, W)
    losses = model.train_step(batch, optimizers)
    assert all(value.isfinite() for value in losses.values())
    assert any(not torch.equal(a, b) for a, b in zip(before, model.net_g.parameters()))
    assert model.test_step(batch)[0]['generated'].shape == (2, H, W, 3)


def test_the_cost_of_a_step_is_counted():
    rows = {row.name: row for row in count_flops(model_of('GlobalGenerator'), OPTIMIZERS, H, W)}
    assert rows['net_g'].macs > 0 and rows['net_g'].calls == 2


def test_discriminators_see_no_textures():
    model = model_of('GlobalGenerator')
    assert model.net_d.input_nc == 2 * (4 + 3) and model.net_g.painter.input_nc == 4 + 8 + 3 + 3


def test_the_color_code_acts_on_what_is_painted_alone():
    net = model_of('GlobalGenerator', z_dims=(4, 4)).net_g
    x, regions = torch.rand(1, 18, H, W), torch.ones(1, 2, H, W)
    with torch.no_grad():
        for layer in net.painter.head.rgb.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight.normal_()
        a, b = (net.painter(x, z, regions) for z in torch.randn(2, 1, 8))
    assert (a - b)[:, :3].abs().mean() > .01
    assert torch.equal(a[:, 3:], b[:, 3:])


def test_arguments_that_are_filled_in_are_refused():
    with pytest.raises(InputError, match='model.generator.references=3, but VideoPix2PixHD needs 2: leave references out'):
        MODELS.build(dict(
            type='VideoPix2PixHD', generator=dict(type='BlendGenerator', references=3, generator=BODIES['UNet']),
            discriminator=dict(type='MultiscaleDiscriminator'), losses=dict(l1=dict(type='L1Loss')), feature_maps=dict(references=2)))
    with pytest.raises(InputError, match='nothing to blend'):
        model_of('UNet', references=0, plate=False)


def test_what_the_model_would_not_take_is_refused_before_training():
    model = model_of('GlobalGenerator', references=0, plate=True)
    with pytest.raises(InputError, match='the data set gives references, but the model takes none'):
        model.check_data(SimpleNamespace(references=References(count=2), plate=True))
    with pytest.raises(InputError, match='texture_warper is about references'):
        model_of('GlobalGenerator', references=0, texture_warper=dict(type='PartAffineWarper'))


def test_a_data_set_without_references_is_refused_before_training():
    model = model_of('GlobalGenerator')
    with pytest.raises(InputError, match=r'gives no reference_frames, .*: set references=dict\(count=2\) and plate=True in the data'):
        model.check_data([dict(frames=torch.zeros(2, 3, H, W))])
    item = {key: value[0] for key, value in model.example_batch(H, W).items()}
    model.check_data([item])
    item['reference_poses'] = item['reference_poses'][:, :1]
    with pytest.raises(InputError, match='references=2, but the data set gives 1 references a frame'):
        model.check_data([item])


@pytest.mark.parametrize('body', BODIES)
def test_before_training_it_copies_the_nearest_reference_over_the_plate(body):
    net = model_of(body).net_g.eval()
    x = torch.rand(1, 18, H, W) * 2 - 1
    x[:, 7], x[:, 11] = 1, 1
    x[:, 7, :, :20], x[:, 11, :, :20] = -1, -1
    with torch.no_grad():
        picture = net(x)
    assert (picture - x[:, 4:7])[..., 20:].abs().mean() < .1
    assert (picture - x[:, 12:15])[..., :20].abs().mean() < .1
