"""What generates, alone: small, loads like a checkpoint, and starts a training."""

import json

import pytest
import torch
from mmengine.config import Config
from safetensors.torch import load_file, save_file

from tests.models.cycle_gan_parts import build as build_cycle_gan
from toolkit import apis
from toolkit.engine import export
from toolkit.engine.checkpoint import load_checkpoint, whole_state
from toolkit.engine.export import export_checkpoint, generating
from toolkit.files import source_hash
from toolkit.registry import MODELS
from toolkit.structures import InputError
from toolkit.weights import META, read_checkpoint, weights_hash

MODEL = dict(
    type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1), ema=.9,
    discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=2), losses=dict(gan=dict(type='GANLoss')))


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    torch.manual_seed(0)
    model = MODELS.build(MODEL)
    for parameter in model.net_g_ema.parameters():
        parameter.data += .01
    config = dict(model=MODEL, train_dataloader=dict(dataset=dict(type='ClipWindows', root='clips', size=(64, 48))))
    path = tmp_path_factory.mktemp('run') / 'iter_0000007.pth'
    torch.save(dict(state_dict=model.state_dict(), meta=dict(iter=7, seed=3, world_size=1, config=config)), path)
    return path


@pytest.fixture
def exported(checkpoint, tmp_path):
    export_checkpoint(checkpoint, tmp_path / 'small.safetensors')
    return tmp_path / 'small.safetensors'


def test_it_generates_what_the_checkpoint_generates_and_is_small(checkpoint, exported):
    assert exported.stat().st_size < .4 * checkpoint.stat().st_size
    assert {key.split('.')[0] for key in load_file(exported)} == {'net_g'}
    assert {value.dtype for value in load_file(exported).values()} == {torch.float16}
    models = [apis.load(path, 'cpu') for path in (checkpoint, exported)]
    assert [trained.size for trained in models] == [(64, 48)] * 2
    torch.manual_seed(1)
    features = torch.randn(1, 2, 4, 64, 48)
    whole, small = (trained.model.unroll(trained.model.net_g_ema, features, None, None) for trained in models)
    raw = models[0].model.unroll(models[0].model.net_g, features, None, None)
    assert (whole - small).abs().max() < .02 < (whole - raw).abs().max()


def test_it_says_where_it_is_from(exported):
    meta = read_checkpoint(exported)['meta']
    assert (meta['iter'], meta['seed'], meta['exported']) == (7, 3, True) and 'world_size' not in meta
    assert meta['config']['model']['generator']['ngf'] == 8


def test_a_training_starts_from_it_with_a_discriminator_of_its_own(checkpoint, exported):
    torch.manual_seed(5)
    model = MODELS.build(MODEL)
    fresh = {key: value.clone() for key, value in model.net_d.state_dict().items()}
    assert load_checkpoint(exported, model)['iter'] == 7
    averaged = read_checkpoint(checkpoint)['state_dict']
    for name, value in model.net_g.state_dict().items():
        torch.testing.assert_close(value, averaged[f'net_g_ema.{name}'], atol=1e-3, rtol=1e-3)
        assert torch.equal(value, model.net_g_ema.state_dict()[name])
    assert all(torch.equal(value, model.net_d.state_dict()[name]) for name, value in fresh.items())
    other = MODELS.build(dict(MODEL, generator=dict(MODEL['generator'], n_blocks=2)))
    with pytest.raises(InputError, match='does not fit VideoPix2PixHD.*missing in the file: net_g'):
        load_checkpoint(exported, other)


@pytest.mark.parametrize('dataset', [
    dict(type='ClipWindows', root='clips', size=(64, 48)), dict(type='ClipWindows', root='clips', synthetic=dict(height=64, width=48)),
    dict(type='MixedClips', datasets=dict(one=dict(type='ClipWindows', root='clips', size=(64, 48))))])
def test_any_size_is_that_of_the_clips(checkpoint, tmp_path, dataset):
    content, files = torch.load(checkpoint), [tmp_path / name for name in ('a.pth', 'any.safetensors', 'same.safetensors')]
    content['meta']['config']['train_dataloader'] = dict(dataset=dataset)
    torch.save(content, files[0])
    export_checkpoint(files[0], files[1], any_size=True)
    export_checkpoint(files[0], files[2])
    assert [apis.load(path, 'cpu').size for path in files] == [(64, 48), None, (64, 48)]
    said = read_checkpoint(files[1])['meta']['config']['train_dataloader']['dataset']
    assert said == json.loads(json.dumps(dataset)), 'which can be trained on'


def test_a_model_with_references_generates_at_the_size_of_the_clips(checkpoint, tmp_path):
    content, sizes = torch.load(checkpoint), []
    for references in (0, 2):
        generator = dict(type='BlendGenerator', generator=MODEL['generator']) if references else MODEL['generator']
        model = dict(MODEL, generator=generator, feature_maps=dict(references=references))
        meta = dict(content['meta'], config=dict(content['meta']['config'], model=model))
        torch.save(dict(state_dict=MODELS.build(model).state_dict(), meta=meta), tmp_path / 'a.pth')
        sizes.append(apis.load(tmp_path / 'a.pth', 'cpu').size)
    assert sizes == [(64, 48), None]


def test_what_cannot_be_exported_is_refused(checkpoint, exported, tmp_path):
    before = exported.read_bytes()
    for out, options, said in (
            (exported, {}, 'exists already; say --overwrite'), (tmp_path / 'a.pth', {}, 'ends with .safetensors'),
            (tmp_path / 'a.safetensors', dict(dtype='int8'), 'dtype must be one of')):
        with pytest.raises(InputError, match=said):
            export_checkpoint(checkpoint, out, **options)
    assert exported.read_bytes() == before
    content = torch.load(checkpoint)
    next(value for key, value in content['state_dict'].items() if key.startswith('net_g_ema')).fill_(1e6)
    torch.save(content, tmp_path / 'large.pth')
    with pytest.raises(InputError, match='net_g.* has values that float16 cannot hold; choose bfloat16'):
        export_checkpoint(tmp_path / 'large.pth', tmp_path / 'large.safetensors')
    export_checkpoint(tmp_path / 'large.pth', tmp_path / 'large.safetensors', 'bfloat16')
    assert (tmp_path / 'large.safetensors').exists()


def test_a_place_is_looked_at_first_and_a_folder_is_made(checkpoint, tmp_path, monkeypatch):
    export_checkpoint(checkpoint, tmp_path / 'new' / 'small.safetensors')
    assert (tmp_path / 'new' / 'small.safetensors').is_file()
    monkeypatch.setattr(export, 'read_checkpoint', lambda path: pytest.fail('the checkpoint is read'))
    with pytest.raises(InputError, match='is a file, not a folder'):
        export_checkpoint(checkpoint, tmp_path / 'new' / 'small.safetensors' / 'a.safetensors')


def test_a_file_that_comes_in_between_stays(checkpoint, tmp_path, monkeypatch):
    out = tmp_path / 'mine.safetensors'
    monkeypatch.setattr('toolkit.engine.export.refuse_existing', lambda *_: out.write_bytes(b'mine'))
    with pytest.raises(InputError, match='a file of this name has come'):
        export_checkpoint(checkpoint, out)
    assert out.read_bytes() == b'mine'


def test_a_pool_of_pictures_stays_behind(tmp_path):
    model = build_cycle_gan(pool_size=2)
    torch.save(dict(state_dict=model.state_dict(), meta=dict(config=dict(model=dict(type='CycleGAN')))), tmp_path / 'a.pth')
    export_checkpoint(tmp_path / 'a.pth', tmp_path / 'a.safetensors', 'float32')
    state = load_file(tmp_path / 'a.safetensors')
    assert {key.partition('.')[0] for key in state} == {'net_g_ab', 'net_g_ba', 'anchors'}
    other = build_cycle_gan(pool_size=2)
    load_checkpoint(tmp_path / 'a.safetensors', other)
    assert all(torch.equal(value, state[f'net_g_ab.{key}']) for key, value in other.net_g_ab.state_dict().items())


def test_numbers_of_this_checkpoint_alone(checkpoint, tmp_path):
    results, out = tmp_path / 'results.json', tmp_path / 'me.safetensors'
    content = dict(about=dict(checkpoint='a.pth', checkpoint_sha256=source_hash(checkpoint)), metrics=dict(PSNR=dict(mean=20.5)))
    results.write_text(json.dumps(content))
    about = export_checkpoint(checkpoint, out, results=results)
    meta = read_checkpoint(out)['meta']
    assert meta['metrics'] == dict(PSNR=dict(mean=20.5)) and meta['sha256'] == about['sha256'] == weights_hash(load_file(out))
    for text, said in ((json.dumps(dict(content, about=dict(checkpoint='a.pth'))), 'results of a.pth, another file'),
                       ('[]', 'holds no results'), ('{', 'results.json: not readable')):
        results.write_text(text)
        with pytest.raises(InputError, match=said):
            export_checkpoint(checkpoint, tmp_path / 'other.safetensors', results=results)
    assert not (tmp_path / 'other.safetensors').exists()


def test_numbers_and_weights_are_of_one_checkpoint_though_a_run_goes_on(checkpoint, tmp_path, monkeypatch):
    first, second = tmp_path / 'iter_0000007.pth', tmp_path / 'iter_0000008.pth'
    first.write_bytes(checkpoint.read_bytes())
    results = tmp_path / 'results.json'
    results.write_text(json.dumps(dict(about=dict(checkpoint_sha256=source_hash(first)), metrics=dict(PSNR=20.5))))
    content = torch.load(checkpoint)
    content['meta']['iter'] = 8

    def while_the_run_goes_on(*given, read=export.read_results):
        metrics = read(*given)
        torch.save(content, second)
        return metrics

    monkeypatch.setattr(export, 'read_results', while_the_run_goes_on)
    about = export_checkpoint(tmp_path, tmp_path / 'me.safetensors', results=results)
    assert second.exists() and (about['iter'], about['metrics']) == (7, dict(PSNR=20.5))


def test_a_config_whose_networks_have_weights(tmp_path):
    model, g, d = MODELS.build(MODEL), tmp_path / 'g.safetensors', tmp_path / 'd.safetensors'
    save_file(model.net_g.state_dict(), g)
    save_file(model.net_d.state_dict(), d)
    before, other = g.read_bytes(), dict(file=str(d), without=['scales.0.layers.0.0'])
    for networks_from, out, said in (
            (dict(net_g=str(g)), g, 'g.safetensors: this is also an input and would be overwritten'),
            (dict(net_g=dict(file=str(g), without=['trunk.stem.0'])), tmp_path / 'me.safetensors',
             r'networks_from.net_g leaves layers as they are \(without\), and nothing has trained them')):
        with pytest.raises(InputError, match=said):
            export_checkpoint(Config(dict(model=MODEL, networks_from=networks_from)), out, overwrite=True)
    assert g.read_bytes() == before and not (tmp_path / 'me.safetensors').exists()
    export_checkpoint(Config(dict(model=MODEL, networks_from=dict(net_g=str(g), net_d=other))), tmp_path / 'me.safetensors', 'float32')
    written = load_file(tmp_path / 'me.safetensors')
    assert all(torch.equal(value, written[f'net_g.{key}']) for key, value in model.net_g.state_dict().items())


def test_other_values_than_were_written_are_noticed(exported):
    content = bytearray(exported.read_bytes())
    content[-3] ^= 1
    exported.write_bytes(content)
    with pytest.raises(InputError, match='its weights are not those that were written'):
        read_checkpoint(exported)


@pytest.mark.parametrize('told', ['{', '[]', json.dumps(dict(config=5))])
def test_a_damaged_note_is_named(exported, told):
    save_file(load_file(exported), exported, {META: told})
    with pytest.raises(InputError, match=r'small\.safetensors'):
        apis.load(exported, 'cpu')


def test_a_decoder_is_no_discriminator():
    names = ('net_g', 'net_d', 'net_d2', 'net_d_face', 'net_d_ema', 'net_decoder', 'net_depth')
    state = {f'{name}.weight': torch.ones(2) for name in names}
    assert set(generating(state, torch.float32, 'file')) == {'net_g.weight', 'net_decoder.weight', 'net_depth.weight'}
    model = torch.nn.ModuleDict(dict(net_g=torch.nn.Linear(1, 1), net_d=torch.nn.Linear(1, 1), net_decoder=torch.nn.Linear(1, 1)))
    kept = {key: value for key, value in model.state_dict().items() if key.startswith('net_g')}
    completed = whole_state(model, dict(state_dict=kept, meta=dict(exported=True)))
    assert {key.split('.')[0] for key in completed} == {'net_g', 'net_d'}, 'what is not in the file is missed, not made up'
