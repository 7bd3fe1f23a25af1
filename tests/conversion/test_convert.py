"""Converted networks compute what the authors' networks compute; what is another network is refused with the reason."""

import pickle
from pathlib import Path

import pytest
import torch

from tests.conversion import official as o
from toolkit.conversion.convert import CODES, convert, convert_file
from toolkit.network_files import open_network
from toolkit.structures import InputError
from toolkit.weights import read_checkpoint


def written(maker, tmp_path, code, **options):
    """A made file, converted, and the network that its file gives."""
    torch.save(maker.state, tmp_path / 'net.pth')
    found = convert_file(code, tmp_path / 'net.pth', tmp_path / 'net.safetensors', overwrite=True, **options)
    return open_network(tmp_path / 'net.safetensors'), found


def same(ours, theirs):
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.mark.parametrize('downs, blocks, batch, dropout', [(2, 2, False, False), (3, 1, True, False), (1, 2, False, True)])
def test_pix2pixhd_global(tmp_path, downs, blocks, batch, dropout):
    m, x = o.Maker(), torch.randn(2, 5, 32, 48)
    o.make_trunk(m, 'model', 5, 6, downs, blocks, batch, dropout=dropout)
    net, found = written(m, tmp_path, 'pix2pixhd')
    same(net(x), o.run_trunk(m.state, 'model', x, downs, blocks, second=6 if dropout else 5))
    assert found.config == dict(type='GlobalGenerator', input_nc=5, output_nc=3, ngf=6, n_down=downs, n_blocks=blocks,
                                norm='batch' if batch else 'instance')
    assert not found.left and len(found.notes) == dropout


def test_pix2pixhd_feature_encoder_is_a_generator_without_blocks(tmp_path):
    m, x = o.Maker(), torch.randn(1, 3, 32, 32)
    o.make_trunk(m, 'model', 3, 4, 3, 0)
    net, _ = written(m, tmp_path, 'pix2pixhd')
    same(net(x), o.run_trunk(m.state, 'model', x, 3, 0))


@pytest.mark.parametrize('enhancers', [1, 2])
def test_pix2pixhd_local(tmp_path, enhancers):
    m, x = o.Maker(), torch.randn(1, 4, 64, 48)
    o.make_enhancers(m, 4, 3, 1, 2, enhancers, 2)
    net, found = written(m, tmp_path, 'pix2pixhd')
    same(net(x), o.run_enhancers(m.state, x, 1, 2, enhancers, 2))
    assert found.config['n_enhancers'] == enhancers and found.config['n_local_blocks'] == 2


@pytest.mark.parametrize('features', [True, False])
@pytest.mark.parametrize('widths', [[4, 8, 16, 32], [300, 512]], ids=['plain', 'at most 512 channels'])
def test_pix2pixhd_discriminator_has_its_scales_the_other_way_round(tmp_path, features, widths):
    m, x, scales = o.Maker(), torch.randn(1, 5, 40, 32), []
    for scale in range(3):
        names = [f'scale{scale}_layer{i}.0' for i in range(len(widths) + 1)] if features else o.in_one(f'layer{scale}', len(widths) - 1)
        o.make_patches(m, names, 5, widths)
        scales.append(names)
    net, found = written(m, tmp_path, 'pix2pixhd')
    for ours, theirs in zip(net(x), o.run_scales(m.state, scales[::-1], x, 2)):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            same(a, b)
    assert found.config['num_scales'] == 3 and found.config['n_layers'] == len(widths) - 1


@pytest.mark.parametrize('batch, bias, statistics', [(False, True, False), (False, True, True), (True, False, False)],
                         ids=['new', 'old, with statistics of instance norms', 'batch norm, no biases'])
def test_cyclegan_residual_generator(tmp_path, batch, bias, statistics):
    m, x = o.Maker(), torch.randn(1, 3, 32, 24)
    o.make_trunk(m, 'model', 3, 4, 2, 6, batch, bias)
    expected = o.run_trunk(m.state, 'model', x, 2, 6)
    if statistics:
        m.state |= {'model.2.running_mean': torch.randn(4), 'model.2.running_var': torch.rand(4),
                    'model.10.conv_block.2.num_batches_tracked': torch.tensor(3)}
    m.state = {f'module.{key}': value for key, value in m.state.items()}
    net, found = written(m, tmp_path, 'cyclegan')
    same(net(x), expected)
    assert set(found.left) == {key.removeprefix('module.') for key in m.state if statistics and key.split('.')[-1] in (
        'running_mean', 'running_var', 'num_batches_tracked')}
    assert set(found.left.values()) <= {'an instance norm keeps no statistics'}
    assert found.config['norm'] == ('batch' if batch else 'instance')


@pytest.mark.parametrize('batch', [False, True])
@pytest.mark.parametrize('ndf, layers', [(8, 3), (4, 5)])
def test_cyclegan_patchgan(tmp_path, batch, ndf, layers):
    m, x, names = o.Maker(), torch.randn(1, 3, 160, 192), o.in_one('model', layers)
    o.make_patches(m, names, 3, [ndf * min(2**n, 8) for n in range(layers + 1)], batch, bias=not batch)
    net, found = written(m, tmp_path, 'cyclegan')
    for a, b in zip(net(x)[0], o.run_patches(m.state, names, x, 1)):
        same(a, b)
    assert found.config['type'] == 'PatchGAN'


@pytest.mark.parametrize('batch', [False, True])
def test_pix2pix_unet(tmp_path, batch):
    m, x = o.Maker(), torch.randn(1, 3, 64, 128)
    keys = [tuple(None if i is None else f'{prefix}.{i}' for i in rest) for prefix, *rest in o.nested_names(6)]
    o.make_unet(m, keys, 3, 4, batch=batch, bias=not batch)
    net, found = written(m, tmp_path, 'cyclegan')
    same(net(x), o.run_unet(m.state, keys, x, skip_first=True))
    assert (found.config['n_down'], found.config['norm']) == (6, 'batch' if batch else 'instance')


@pytest.mark.parametrize('norms, batch, bilinear', [
    (True, False, False), (True, False, True), (True, True, False), (False, False, False)])
def test_bicyclegan_unet_with_its_code_in_all_levels(tmp_path, norms, batch, bilinear):
    m, x, z = o.Maker(), torch.randn(2, 4, 64, 64), torch.randn(2, 5)
    up = 3 if bilinear else 1
    keys = []
    for level in range(6):
        p = 'model' + '.submodule' * level
        keys.append((f'{p}.down.{1 if level else 0}', f'{p}.down.2', f'{p}.up.{up}', f'{p}.up.{up + 1}'))
    o.make_unet(m, keys, 4, 4, 5, True, batch, bilinear=bilinear)
    net, found = written(m, tmp_path, 'bicyclegan', norm=None if norms else 'none')
    same(net(x, z), o.run_unet(m.state, keys, x, z, True, bilinear=bilinear, norms=norms))
    assert found.config['z_dims'] == [5] and found.config['input_nc'] == 4


@pytest.mark.parametrize('norms, bilinear', [(True, False), (True, True), (False, False)])
def test_bicyclegan_unet_with_its_code_at_the_input(tmp_path, norms, bilinear):
    m, x, z = o.Maker(), torch.randn(2, 3, 64, 64), torch.randn(2, 8)
    keys = [tuple(None if i is None else f'{p}.{i}' for i in rest) for p, *rest in o.nested_names(6, norms, bilinear)]
    o.make_unet(m, keys, 3, 4, 8, bilinear=bilinear)
    net, _ = written(m, tmp_path, 'bicyclegan', nz=8)
    same(net(x, z), o.run_unet(m.state, keys, x, z, bilinear=bilinear, norms=norms))
    with pytest.raises(InputError, match='say nz, the length of the code'):
        convert('bicyclegan', tmp_path / 'net.pth')
    for nz in (-1, 11, 88):
        with pytest.raises(InputError, match=f'nz={nz}: .*net.pth takes 11 channels, picture and code together'):
            convert('bicyclegan', tmp_path / 'net.pth', nz=nz)


@pytest.mark.parametrize('blocks, size', [(4, 128), (5, 256)])
def test_bicyclegan_encoder(tmp_path, blocks, size):
    m, x = o.Maker(), torch.randn(2, 3, size, size)
    o.make_encoder(m, 4, blocks, 8)
    net, found = written(m, tmp_path, 'bicyclegan')
    for ours, theirs in zip(net(x), o.run_encoder(m.state, x, blocks)):
        same(ours, theirs)
    assert found.part == 'ENCODERS' and found.config['pooling'] == 'avg8'


def bicycle_scales(name, widths):
    """A made discriminator of BicycleGAN, and the keys of its convolutions at each scale."""
    m, scales = o.Maker(), []
    for scale, ndf in enumerate(widths):
        scales.append(o.in_one(name.format(scale), 2))
        o.make_patches(m, scales[-1], 3, [ndf, 2 * ndf, 4 * ndf])
    return m, scales


@pytest.mark.parametrize('name, widths', [('model', [16]), ('model{}', [16, 8]), ('model{}', [16, 8, 2]), ('model_{}', [16, 8])])
def test_bicyclegan_discriminator(tmp_path, name, widths):
    (m, scales), x = bicycle_scales(name, widths), torch.randn(1, 3, 96, 96)
    net, _ = written(m, tmp_path, 'bicyclegan')
    for ours, theirs in zip(net(x), o.run_scales(m.state, scales, x, 1)):
        for a, b in zip(ours, theirs):
            same(a, b)


def test_everybody_dance_now_takes_our_range_of_conditions(tmp_path):
    labels, previous = torch.rand(1, 3, 64, 32), torch.randn(1, 3, 64, 32)
    theirs, ours = (torch.cat([maps, previous], 1) for maps in (labels, 2 * labels - 1))
    m = o.Maker()
    o.make_enhancers(m, 6, 3, 1, 1, 1, 2)
    same(written(m, tmp_path, 'everybody_dance_now')[0](ours), o.run_enhancers(m.state, theirs, 1, 1, 1, 2))
    m = o.Maker()
    o.make_trunk(m, 'model', 6, 4, 2, 1)
    same(written(m, tmp_path, 'everybody_dance_now')[0](ours), o.run_trunk(m.state, 'model', theirs, 2, 1))


def test_everybody_dance_now_discriminators(tmp_path):
    m, x, names = o.Maker(), torch.randn(1, 6, 48, 48), o.in_one('facemodel', 3)
    o.make_patches(m, names, 6, [4, 8, 16, 32], batch=True)
    net, found = written(m, tmp_path, 'everybody_dance_now')
    for a, b in zip(net(x)[0], o.run_patches(m.state, names, x, 2)):
        same(a, b)
    assert '[0, 1]' in found.notes[0]


@pytest.mark.parametrize('code, kind', [
    ('pix2pixhd', 'global'), ('pix2pixhd', 'local'), ('pix2pixhd', 'discriminator'), ('everybody_dance_now', 'global'),
    ('cyclegan', 'global'), ('bicyclegan', 'discriminator')])
def test_what_old_files_hold_for_instance_norms_is_left_out_and_said(tmp_path, code, kind):
    m = o.Maker()
    if kind == 'global':
        o.make_trunk(m, 'model', 6, 4, 2, 1)
        norms = 'model.2', 'model.10.conv_block.6'
    elif kind == 'local':
        o.make_enhancers(m, 6, 3, 1, 1, 1, 2)
        norms = 'model.2', 'model1_1.2', 'model1_2.0.conv_block.2'
    else:
        o.make_patches(m, o.in_one('model' if code == 'bicyclegan' else 'layer0', 2), 6, [4, 8, 16])
        norms = 'model.3' if code == 'bicyclegan' else 'layer0.3',
    torch.save(m.state, tmp_path / 'new.pth')
    old = {f'{norm}.{kind}': torch.rand(4) for norm in norms for kind in ('running_mean', 'running_var', 'num_batches_tracked')}
    torch.save(m.state | old, tmp_path / 'old.pth')
    new, found = (convert(code, tmp_path / f'{name}.pth') for name in ('new', 'old'))
    assert found.config == new.config and all(torch.equal(value, found.state[key]) for key, value in new.state.items())
    assert found.left == dict.fromkeys(old, 'an instance norm keeps no statistics') and not new.left


def trunk(**changes):
    m = o.Maker()
    o.make_trunk(m, 'model', 3, 4, 2, 1)
    return {key: value for key, value in (m.state | changes).items() if value is not None}


def encoder_without_norms():
    m = o.Maker()
    o.make_encoder(m, 4, 4, 8)
    return {key.replace('.conv.2.', '.conv.1.').replace('.conv.5.', '.conv.3.'): value for key, value in m.state.items()}


VID2VID = {'model_down_seg.1.weight': torch.zeros(4, 18, 7, 7), 'model_final_flow.1.weight': torch.zeros(2, 4, 7, 7)}
WRONG = {
    'of another shape': ('pix2pixhd', trunk(**{'model.4.weight': torch.zeros(8, 4, 5, 5)}),
                         r'model.4.weight is \(8, 4, 5, 5\) in the file, \(8, 4, 3, 3\) in GlobalGenerator\(input_nc=3.*n_blocks=1'),
    'missing': ('cyclegan', trunk(**{'model.10.conv_block.1.bias': None}), '1 missing: model.10.conv_block.1.bias'),
    'without a place': ('pix2pixhd', trunk(extra=torch.zeros(2)), '1 without a place: extra'),
    'odd': ('pix2pixhd', trunk(**{'model.14.weight': None}), 'as many convolutions that halve the size as that double it'),
    'another network': ('pix2pixhd', {'features.0.weight': torch.zeros(1)}, 'holds no network of pix2pixHD .*its keys are features.0'),
    'pixel': ('cyclegan', {'net.0.weight': torch.zeros(4, 3, 1, 1)}, 'PixelGAN has no counterpart'),
    'not finite': ('pix2pixhd', trunk(**{'model.1.bias': torch.full((4,), float('nan'))}), 'not finite'),
    'no tensors': ('pix2pixhd', {'state_dict': {'model.1.weight': 3}}, "'model.1.weight' is a int, expected tensors"),
    'vid2vid': ('vid2vid', VID2VID, r'model_down_seg.1.weight is \(4, 18, 7, 7\): it sees 18 channels.* sees stick figures alone'),
    'vid2vid without flow': ('vid2vid', {'model_down_seg.1.weight': torch.zeros(4, 9, 7, 7)}, 'it predicts no flow'),
    'vid2vid with a foreground': ('vid2vid', VID2VID | {'indv_down.1.weight': torch.zeros(2, 18, 7, 7)}, 'at half the width'),
    'not vid2vid': ('vid2vid', trunk(), 'no network of vid2vid'),
    'edn unet': ('everybody_dance_now', {'model.model.0.weight': torch.zeros(4, 6, 4, 4)}, 'did not use'),
    'unet of one level': ('cyclegan', {'model.model.0.weight': torch.zeros(4, 6, 4, 4)}, 'at least two levels'),
    'batch norm of a layer that is not there': (
        'pix2pixhd', trunk(**{f'model.{i}.weight': torch.ones(4) for i in (2, 5, 8)}, **{'model.99.running_mean': torch.zeros(4)}),
        r'without a place: .*model.99.running_mean'),
    'discriminator with other widths': ('bicyclegan', bicycle_scales('model_{}', [16, 8, 4])[0].state,
                                        r'model_2.0.weight is \(4, 3, 4, 4\) in the file, \(2, 3, 4, 4\)'),
    'encoder without norms': ('bicyclegan', encoder_without_norms(), 'an encoder without norms: its shortcuts see what'),
    'encoder without a variance': ('bicyclegan', {'conv.0.weight': torch.zeros(4, 3, 4, 4), 'fc.0.weight': torch.zeros(8, 4)},
                                   'with a log-variance'),
}


@pytest.mark.parametrize('name', WRONG)
def test_another_network_is_refused_with_the_reason(tmp_path, name):
    code, state, message = WRONG[name]
    torch.save(state, tmp_path / 'net.pth')
    with pytest.raises(InputError, match=message):
        convert_file(code, tmp_path / 'net.pth', tmp_path / 'net.safetensors')
    assert not (tmp_path / 'net.safetensors').exists()


W, SHORT = torch.zeros(8, 3, 4, 4), torch.zeros(3)
ENCODER = {'conv.0.weight': W, 'conv.1.shortcut.1.weight': torch.zeros(8, 8, 1, 1), 'fc.0.weight': torch.zeros(8, 8),
           'fcVar.0.weight': torch.zeros(8, 8)}
ODD = {
    'scales': ('pix2pixhd', {'layer0.0.weight': W, 'layer99.0.weight': W}),
    'scales with features': ('pix2pixhd', {'scale0_layer0.0.weight': W, 'scale99_layer0.0.weight': W}),
    'layers': ('pix2pixhd', {'scale0_layer0.0.weight': W, 'scale0_layer99.0.weight': W}),
    'enhancers': ('pix2pixhd', {'model.1.weight': W, 'model1_1.1.weight': W, 'model99_1.1.weight': W}),
    'blocks of an enhancer': ('pix2pixhd', {'model.1.weight': W, 'model1_1.1.weight': W, 'model1_2.99.conv_block.1.weight': W}),
    'scales of bicyclegan': ('bicyclegan', {'model_0.0.weight': W, 'model_99.0.weight': W}),
    'blocks of an encoder': ('bicyclegan', ENCODER | {'conv.99.shortcut.1.weight': W}),
    'scales times layers': ('pix2pixhd', {f'scale{i}_layer{j}.0.weight': W for n in range(20) for i, j in ((n, 0), (0, n))}),
    'scales times layers in one': ('pix2pixhd', {f'layer{i}.{j}.weight': W for n in range(20) for i, j in ((n, 0), (0, n))}),
    'enhancers times blocks': ('pix2pixhd', {'model.1.weight': W} | {
        key: W for n in range(1, 20) for key in (f'model{n}_1.1.weight', f'model1_2.{n}.conv_block.1.weight')}),
    'scales times layers of bicyclegan': ('bicyclegan', {
        f'model_{i}.{j}.weight': W for n in range(20) for i, j in ((n, 0), (0, n))}),
    '5,000 digits': ('pix2pixhd', {'layer0.0.weight': W, f'layer0.{"9" * 5000}.weight': W}),
    'without its first weight': ('pix2pixhd', {'layer0.5': SHORT}),
    'without its first weight, with features': ('pix2pixhd', {'scale0_layer0.foo': SHORT}),
    'discriminator, 1-D': ('pix2pixhd', {'layer0.0.weight': SHORT}),
    'discriminator, 0-D': ('pix2pixhd', {'layer0.0.weight': torch.tensor(1.)}),
    'discriminator, nested': ('pix2pixhd', {'layer0.0.weight': torch.nested.nested_tensor([SHORT, SHORT[:2]])}),
    'generator, 1-D': ('pix2pixhd', {'model.1.weight': SHORT, 'model.4.weight': W, 'model.5.weight': W}),
    'patchgan, 1-D': ('cyclegan', {'model.0.weight': SHORT}),
    'unet, 1-D': ('cyclegan', {'model.model.0.weight': SHORT, 'model.model.1.model.1.weight': SHORT}),
    'discriminator of faces, 1-D': ('everybody_dance_now', {'facemodel.0.weight': SHORT}),
    'unet of bicyclegan, 1-D': ('bicyclegan', {'model.down.0.weight': SHORT}),
    'encoder, 1-D': ('bicyclegan', ENCODER | {'conv.0.weight': SHORT}),
    'discriminator of bicyclegan, 1-D': ('bicyclegan', {'model.0.weight': SHORT}),
    'vid2vid, 1-D': ('vid2vid', {'model_down_seg.1.weight': SHORT}),
}


@pytest.mark.parametrize('name', ODD)
def test_odd_numbers_and_shapes_are_an_unknown_network(tmp_path, name):
    code, state = ODD[name]
    torch.save(state, tmp_path / 'net.pth')
    with pytest.raises(InputError, match='net.pth holds no network of .*a layer is missing, misshapen or numbered too high') as raised:
        convert(code, tmp_path / 'net.pth')
    assert type(raised.value.__cause__) in (IndexError, KeyError, RuntimeError, ValueError)


def test_a_unet_has_the_levels_that_the_file_holds(tmp_path):
    torch.save({'model.down.0.weight': torch.zeros(3, 8, 4, 4), f'model.{"submodule." * 50}x': SHORT}, tmp_path / 'net.pth')
    with pytest.raises(InputError, match='n_down=1, '):
        convert('bicyclegan', tmp_path / 'net.pth')


@pytest.mark.parametrize('kind', [torch.int64, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn])
@pytest.mark.parametrize('code', ['pix2pixhd', 'cyclegan', 'everybody_dance_now'])
def test_weights_of_another_kind_are_refused(tmp_path, code, kind):
    m = o.Maker()
    o.make_trunk(m, 'model', 6, 4, 2, 1)
    torch.save({key: value.to(kind) for key, value in m.state.items()}, tmp_path / 'net.pth')
    with pytest.raises(InputError, match=f'16 of another kind: model.1.weight is {kind}, '):
        convert(code, tmp_path / 'net.pth')


def test_sparse_and_nested_weights_are_refused(tmp_path):
    m = o.Maker()
    o.make_trunk(m, 'model', 6, 4, 2, 1)
    nested = torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])
    for key, value in ('model.1.weight', m.state['model.1.weight'].to_sparse()), ('model.4.bias', nested):
        torch.save(m.state | {key: value}, tmp_path / 'net.pth')
        with pytest.raises(InputError, match=f'1 of another kind: {key} is torch.float32, sparse or nested'):
            convert('everybody_dance_now', tmp_path / 'net.pth')


def test_counters_and_smaller_floats_are_taken(tmp_path):
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        m = o.Maker()
        o.make_trunk(m, 'model', 6, 4, 2, 1, batch=True, bias=False)
        state = {key: value.to(kind) if value.is_floating_point() else value for key, value in m.state.items()}
        torch.save(state, tmp_path / 'net.pth')
        found = convert('cyclegan', tmp_path / 'net.pth').state
        assert {value.dtype for value in found.values()} == {torch.float32, torch.int64}


@pytest.mark.parametrize('inputs', [1, 2, 3])
def test_everybody_dance_now_without_a_figure_is_refused(tmp_path, inputs):
    m = o.Maker()
    o.make_trunk(m, 'model', inputs, 4, 2, 1)
    torch.save(m.state, tmp_path / 'net.pth')
    with pytest.raises(InputError, match='no network of Everybody Dance Now .*4 or more channels'):
        convert('everybody_dance_now', tmp_path / 'net.pth')


def test_options_and_codes_that_are_not_there(tmp_path):
    torch.save(trunk(), tmp_path / 'net.pth')
    for code, options, message in (
            ('pix2pixHD', {}, "no code is called 'pix2pixHD'. Did you mean 'pix2pixhd'"),
            ('pix2pixhd', dict(nz=8), 'nz: pix2pixhd has no options'),
            ('bicyclegan', dict(mask_cent=0.), 'mask_cent: bicyclegan has the option norm, nz')):
        with pytest.raises(InputError, match=message):
            convert(code, tmp_path / 'net.pth', **options)
    m = o.Maker()
    o.make_encoder(m, 4, 4, 8)
    torch.save(m.state, tmp_path / 'e.pth')
    with pytest.raises(InputError, match='nz=8 is not needed'):
        convert('bicyclegan', tmp_path / 'e.pth', nz=8)
    m = o.Maker()
    o.make_unet(m, [(f'{p}.down.{1 if level else 0}', f'{p}.down.2', f'{p}.up.1', f'{p}.up.2')
                    for level, p in enumerate('model' + '.submodule' * level for level in range(6))], 4, 4, 5, True, batch=True)
    torch.save(m.state, tmp_path / 'batch.pth')
    for norm in ('instance', 'none'):
        with pytest.raises(InputError, match=f"norm='{norm}' is not needed for .*batch.pth: its shapes say it"):
            convert('bicyclegan', tmp_path / 'batch.pth', norm=norm)
    with pytest.raises(InputError, match='net.safetensors: this is also an input|ends with .safetensors'):
        convert_file('pix2pixhd', tmp_path / 'net.pth', tmp_path / 'net.pth')


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize('code', [*CODES, 'openpose', 'rcf', 'colorization'])
def test_code_in_a_file_is_never_run(tmp_path, code):
    (tmp_path / 'net.pth').write_bytes(pickle.dumps({'state_dict': Evil(tmp_path / 'ran')}, protocol=2))
    with pytest.raises(InputError, match='net.pth is refused'):
        convert(code, tmp_path / 'net.pth')
    assert not (tmp_path / 'ran').exists()


def test_the_file_says_what_it_was_made_of(tmp_path):
    written(type('Made', (), dict(state=trunk())), tmp_path, 'pix2pixhd')
    meta = read_checkpoint(tmp_path / 'net.safetensors')['meta']
    assert meta['source']['code'] == 'pix2pixhd' and meta['source']['file'] == 'net.pth' and len(meta['source']['sha256']) == 64
    with pytest.raises(InputError, match='does not say how its network is built'):
        open_network(tmp_path / 'net.pth')
