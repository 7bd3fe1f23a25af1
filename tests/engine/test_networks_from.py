"""Networks that begin with the weights of files: which, from where, and what is refused."""

import pytest
import torch

from tests.models.test_video_pix2pixhd import build
from toolkit.engine.export import export_checkpoint
from toolkit.engine.launch import build_runner, load_config
from toolkit.engine.networks_from import load_starts
from toolkit.generators.pix2pixhd import GlobalGenerator
from toolkit.network_files import write_network
from toolkit.registry import ENCODERS, MODELS
from toolkit.structures import InputError

NET = dict(type='GlobalGenerator', input_nc=7, ngf=8, n_down=2, n_blocks=1)


def file_of(path, **options):
    """A network in a file, drawn anew."""
    config = dict(NET, **options)
    torch.manual_seed(7)
    network = GlobalGenerator(**{key: value for key, value in config.items() if key != 'type'})
    write_network(path, 'GENERATORS', config, network.state_dict(), {})
    return network.state_dict()


def equal(network, state):
    return all(torch.equal(value, state[key]) for key, value in network.state_dict().items())


def test_the_averaged_copy_begins_as_the_network(tmp_path):
    state, model = file_of(tmp_path / 'g.safetensors'), build()
    before = model.net_d.state_dict()
    found = load_starts(model, dict(net_g=str(tmp_path / 'g.safetensors')))
    assert [start.name for start in found] == ['net_g', 'net_g_ema']
    assert equal(model.net_g, state) and equal(model.net_g_ema, state) and equal(model.net_d, before)


@pytest.mark.parametrize('kind', ['checkpoint', 'averaged', 'bare'])
def test_a_network_of_another_model(tmp_path, kind):
    source, model = build(ema=.9 if kind == 'averaged' else None), build()
    for value in source.state_dict().values():
        if value.is_floating_point():
            value.normal_()
    state = (source.net_g_ema if kind == 'averaged' else source.net_g).state_dict()
    torch.save(state if kind == 'bare' else dict(state_dict=source.state_dict()), tmp_path / 'iter_0000001.pth')
    load_starts(model, dict(net_g=tmp_path / 'iter_0000001.pth' if kind == 'bare' else tmp_path))
    assert equal(model.net_g, state)


def test_other_channels_leave_the_first_convolution_as_it_is(tmp_path):
    state, model = file_of(tmp_path / 'g.safetensors', input_nc=36), build()
    before, averaged = ({key: value.clone() for key, value in net.state_dict().items()} for net in (model.net_g, model.net_g_ema))
    with pytest.raises(InputError, match=r'networks_from.net_g: .*trunk.stem.0.weight is \(8, 36, 7, 7\) in the file, \(8, 7, 7, 7\)'):
        load_starts(model, dict(net_g=tmp_path / 'g.safetensors'))
    load_starts(model, {'net_g': dict(file=tmp_path / 'g.safetensors', without=['trunk.stem.0'])})
    for network, own in ((model.net_g, before), (model.net_g_ema, averaged)):
        assert all(torch.equal(value, (own if key.startswith('trunk.stem.0') else state)[key])
                   for key, value in network.state_dict().items())


def test_a_network_inside_of_another_one(tmp_path):
    from torch import nn
    model = nn.Module()
    model.net_e = nn.Module()
    model.net_e.network = GlobalGenerator(**{key: value for key, value in NET.items() if key != 'type'})
    state = file_of(tmp_path / 'e.safetensors')
    file = str(tmp_path / 'e.safetensors')
    for networks_from in ({'net_e.network': file}, dict(net_e=dict(network=file)), {'net_e.network': dict(file=file)}):
        nn.init.zeros_(model.net_e.network.head.conv.weight)
        load_starts(model, networks_from)
        assert equal(model.net_e.network, state)


@pytest.mark.parametrize('options, message', [
    (dict(n_blocks=2), '4 unknown to the model: trunk.blocks.1.conv1'),
    (dict(ngf=16), r'is \(16, 7, 7, 7\) in the file, \(8, 7, 7, 7\)'),
    (dict(norm='none'), r'its trunk.stem.1 is Identity\(\), that of the model is InstanceNorm2d'),
    (dict(down_padding='reflect'), 'its trunk.downs.0.0 is .*padding_mode=reflect.*, that of the model is Conv2d'),
    (dict(up='nearest'), 'missing in the file: trunk.ups.0.conv')])
def test_a_network_that_works_otherwise_is_refused_and_nothing_is_loaded(tmp_path, options, message):
    file_of(tmp_path / 'g.safetensors', **options)
    model = build()
    before = {key: value.clone() for key, value in model.net_g.state_dict().items()}
    with pytest.raises(InputError, match=message):
        load_starts(model, dict(net_g=tmp_path / 'g.safetensors'))
    assert equal(model.net_g, before)


@pytest.mark.parametrize('networks_from, message', [
    (dict(net_q='g'), "VideoPix2PixHD has no network 'net_q'. Did you mean 'net_g' or 'net_d'"),
    (dict(net_g=3), 'net_g=3: expected a file'),
    (dict(net_g=dict(file='g', layers=[])), "networks_from.net_g: unknown key 'layers'"),
    (dict(net_g='none.pth'), 'none.pth does not exist'),
    (dict(net_g=dict(file='g.safetensors', without=['trunk.stm'])), "has no layer 'trunk.stm'. Did you mean 'trunk.stem"),
    (dict(net_g=dict(file='g.safetensors', without='trunk')), "without='trunk': expected a list")])
def test_mistakes(tmp_path, monkeypatch, networks_from, message):
    monkeypatch.chdir(tmp_path)
    file_of(tmp_path / 'g.safetensors')
    with pytest.raises(InputError, match=message):
        load_starts(build(), networks_from)


def test_a_run_begins_with_it_and_does_not_read_it_again(toy, tmp_path):
    run = tmp_path / 'run'
    build_runner(load_config(toy.config, ['train_cfg.max_iters=2']), tmp_path / 'first').train()
    option = f'networks_from.net_g={tmp_path / "first"}'
    runner = build_runner(load_config(toy.config, [option, 'train_cfg.max_iters=2']), run)
    runner.load_or_resume()
    learned = torch.load(tmp_path / 'first' / 'iter_0000002.pth')['state_dict']
    assert torch.equal(runner.model.net_g[0].weight, learned['net_g_ema.0.weight'])
    runner.train()
    (tmp_path / 'first').rename(tmp_path / 'gone')
    again = build_runner(load_config(toy.config, [option, 'train_cfg.max_iters=3']), run, resume=True)
    again.train()
    assert again.iter == 3
    with pytest.raises(InputError, match='first does not exist'):
        build_runner(load_config(toy.config, [option]), tmp_path / 'other').train()


@pytest.mark.parametrize('named', ['run', 'run/iter_0000002.pth'])
def test_a_network_of_the_folder_that_a_new_run_sets_aside_is_refused_and_stays(toy, tmp_path, named):
    build_runner(load_config(toy.config, ['train_cfg.max_iters=2']), tmp_path / 'run').train()
    runner = build_runner(load_config(toy.config, [f'networks_from.net_g={tmp_path / named}']), tmp_path / 'run')
    words = r"networks_from.net_g: .*iter_0000002.pth is a checkpoint in the work dir of this run.*--work-dir"
    with pytest.raises(InputError, match=words):
        runner.train()
    assert (tmp_path / 'run' / 'iter_0000002.pth').is_file() and not (tmp_path / 'run' / 'earlier_1').exists()


@pytest.mark.parametrize('published', [False, True])
def test_a_run_whose_network_works_otherwise_is_refused(toy, tmp_path, published):
    build_runner(load_config(toy.config, ['train_cfg.max_iters=2']), tmp_path / 'first').train()
    file = tmp_path / 'first'
    if published:
        file = tmp_path / 'g.safetensors'
        export_checkpoint(tmp_path / 'first', file)
    options = [f'networks_from.net_g={file}', 'model.dropout=0.5']
    with pytest.raises(InputError, match=r'its 3 is Dropout\(p=0.2.*, that of the model is Dropout\(p=0.5'):
        build_runner(load_config(toy.config, options), tmp_path / 'other').train()


def test_the_encoder_of_stage_one_begins_as_that_of_bicyclegan(tmp_path):
    config = dict(type='ResNetEncoder', nz=8, input_nc=3, nef=4, n_down=4, norm='instance', pooling='avg8')
    encoder = ENCODERS.build(config)
    write_network(tmp_path / 'e.safetensors', 'ENCODERS', config, encoder.state_dict(), {})

    def stage_one(pooling):
        return MODELS.build(dict(
            type='BicycleGAN', encoder=dict(type='RegionEncoder', encoder=dict(config, pooling=pooling)),
            generator=dict(type='UNet', n_down=2, ngf=4), discriminator=dict(type='BicycleDiscriminator', ndf=4, n_layers=1),
            losses=dict(gan=dict(type='GANLoss'))))

    model, networks_from = stage_one('avg8'), {'net_e.network': tmp_path / 'e.safetensors'}
    load_starts(model, networks_from)
    assert equal(model.net_e.network, encoder.state_dict())
    with pytest.raises(InputError, match="it was made with pooling='avg8', the model with 'adaptive'"):
        load_starts(stage_one('adaptive'), networks_from)
