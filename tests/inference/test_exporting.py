"""A network as a file of ONNX: the same numbers, norms that became constants, and generation by it."""

import importlib.util
import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from tests.models.cycle_gan_parts import build as build_cycle_gan
from toolkit import apis
from toolkit.clips.clip import Clip
from toolkit.generators.pix2pixhd import GlobalGenerator
from toolkit.inference import exporting, runtimes
from toolkit.inference.exporting import check_export, export_network, recorded_calls
from toolkit.inference.fast import speed_up
from toolkit.inference.frozen_norms import freeze_norms
from toolkit.inference.runtimes import about_network, is_of, network_hash, open_network, run_file, whose
from toolkit.packaged import PRETRAINED
from toolkit.registry import MODELS, RESTORERS
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions

needs_onnx = pytest.mark.skipif(any(importlib.util.find_spec(name) is None for name in ('onnx', 'onnxruntime')),
                                reason="onnx and onnxruntime are not installed: pip install 'human-video-toolkit[export]'")
SIZE = (96, 64)


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    root = tmp_path_factory.mktemp('clip')
    SyntheticActions(height=96, width=64, actors=2, actions=2, frames=4).write(
        root, actors=[0], actions=[1], num_workers=1, progress=False)
    return Clip(next(root.iterdir()))


def trained(**model):
    torch.manual_seed(0)
    model = dict(dict(
        type='VideoPix2PixHD', losses=dict(gan=dict(type='GANLoss')), feature_maps=dict(references=2, plate=True),
        generator=dict(type='BlendGenerator', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1)),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=1)), **model)
    return apis.Trained(MODELS.build(model).eval(), Config(dict(model=model)), SIZE)


@needs_onnx
def test_a_video_by_the_file_is_the_video_by_the_network(clip, tmp_path):
    import onnx
    about = export_network(trained(), tmp_path / 'me.onnx', SIZE)
    assert about['difference'] < 1e-4 and about['inputs'] == dict(x=(1, 18, *SIZE)) and about['norms'] == 0
    assert onnx.load(tmp_path / 'me.onnx').opset_import[0].version == 17
    plain, quick = trained(), trained()
    assert 'me.onnx' in speed_up(quick.model, str(tmp_path / 'me.onnx'))
    pictures = [np.stack(list(apis.stream(each, clip, clip.poses, SIZE))).astype(int) for each in (plain, quick)]
    assert abs(pictures[0] - pictures[1]).max() <= 1
    with pytest.raises(InputError, match='export it again for this checkpoint and this size'):
        list(apis.stream(quick, clip, clip.poses / 2, (48, 32)))
    looks = apis.Request(clip.folder, clip.folder, colors=apis.Colors(outfits=['#c03030,', ',#2040a0']))
    plain, quick = trained(), trained()
    plain.fast, quick.fast = 'plain', speed_up(quick.model, str(tmp_path / 'me.onnx'))
    pictures = [np.array(list(apis.paint(each, apis.choose(each, looks, tmp_path, False)))).astype(int) for each in (plain, quick)]
    assert pictures[0].shape[1] == 2 and abs(pictures[0] - pictures[1]).max() <= 1


class Session:
    """What ONNX Runtime makes of a file: it returns the first three channels of its input."""

    def __init__(self, said, shape):
        self.said, self.shape = said, shape

    def get_modelmeta(self):
        return SimpleNamespace(custom_metadata_map=self.said)

    def get_inputs(self):
        return [SimpleNamespace(name='x', shape=list(self.shape))]

    def run(self, outputs, given):
        assert given['x'].shape == self.shape
        return [given['x'][:, :3]]


@pytest.fixture
def exported(monkeypatch):
    """Function that puts a made-up file of a network in the place of any file."""
    def put(network, weights, size=SIZE):
        said = about_network(network, weights, size)
        monkeypatch.setattr(runtimes, '_session', lambda *given: Session(said, (1, 18, *size)))
    return put


def test_a_batch_is_computed_in_parts_of_the_size_of_the_file(exported):
    exported('net_g', 'any')
    x = torch.rand(3, 18, *SIZE)
    assert torch.equal(run_file('me.onnx')(x), x[:, :3])
    with pytest.raises(InputError, match=r'got \[\(3, 18, 96, 32\)\]: export it again'):
        run_file('me.onnx')(x[..., :32])


@pytest.mark.parametrize('ema', [None, .9])
def test_a_file_replaces_its_own_network_alone(exported, ema):
    model = trained(ema=ema).model
    model.feature_maps.restoration = RESTORERS.build(dict(type='RestorationNetwork', ngf=4, n_blocks=1)).eval()
    name, x = 'net_g' if ema is None else 'net_g_ema', torch.rand(1, 18, *SIZE)
    exported('net_g', network_hash(getattr(model, name)))
    said = speed_up(model, 'me.onnx')
    assert f'{name} is that of me.onnx' in said
    assert torch.equal(getattr(model, name)(x), x[:, :3])
    assert [key for key, network in model.networks().items() if 'forward' in vars(network)] == [name]


def test_a_file_of_another_network_is_refused(exported, monkeypatch):
    model = trained().model
    same, other = network_hash(model.net_g), network_hash(trained(generator=dict(type='GlobalGenerator', ngf=4)).model.net_g)
    assert same == network_hash(trained().model.net_g.to(memory_format=torch.channels_last)) != other
    exported('net_g', other)
    with pytest.raises(InputError, match='me.onnx was made from another checkpoint, whose net_g_ema has other weights'):
        speed_up(model, 'me.onnx')
    exported('net_h', same)
    with pytest.raises(InputError, match='has the network net_h, but those of this VideoPix2PixHD are net_g, net_g_ema'):
        speed_up(model, 'me.onnx')
    monkeypatch.setattr(runtimes, '_session', lambda *given: Session({}, (1, 18, *SIZE)))
    with pytest.raises(InputError, match='me.onnx does not say which network it has.*: export it again, tools/export.py'):
        speed_up(model, 'me.onnx')
    assert not any('forward' in vars(network) for network in model.networks().values())


@pytest.mark.parametrize('size, shape, words', [
    ('axb', (1, 18, *SIZE), "for frames of the size 'axb', expected HEIGHTxWIDTH: export it again"), ('0x64', (1, 18, *SIZE), "'0x64'"),
    ('96', (1, 18, *SIZE), "'96'"), ('1' * 200 + 'x2', (1, 18, *SIZE), 'for frames of the size'),
    ('96x64', ('batch', 18, *SIZE), "inputs of shape .*'batch'.*, expected whole numbers: export it again"),
    ('96x64', (), 'whole numbers')])
def test_a_file_that_says_something_else_than_ours_do_is_refused(monkeypatch, size, shape, words):
    said = dict(about_network('net_g', 'any', SIZE), **{runtimes.ABOUT[-1]: size})
    monkeypatch.setattr(runtimes, '_session', lambda *given: Session(said, shape))
    with pytest.raises(InputError, match=words):
        open_network('me.onnx')


def test_the_size_is_that_of_the_file(clip, tmp_path):
    paints = trained()
    paints.file_size = (48, 32)
    request = apis.Request(clip.folder, clip.folder)
    assert apis.choose(paints, request, tmp_path, False).size == (48, 32)
    wrong = apis.Request(tmp_path, tmp_path, size=(96, 64))
    with pytest.raises(InputError, match='size 96x64: the file of --fast paints frames of 48x32 alone'):
        apis.choose(paints, wrong, tmp_path, False)


def test_loading_with_a_file_opens_it_first_and_takes_its_size(exported, monkeypatch):
    plain = apis.load(PRETRAINED, 'cpu')
    exported('net_g', network_hash(plain.model.net_g_ema), (64, 48))
    quick = apis.load(PRETRAINED, 'cpu', fast='me.onnx')
    assert quick.file_size == (64, 48) and 'net_g_ema is that of me.onnx' in quick.fast and plain.file_size is None
    monkeypatch.setattr(runtimes, '_session', lambda *given: Session({}, ()))
    with pytest.raises(InputError, match='export it again'):
        apis.load('missing.pth', 'cpu', fast='me.onnx')


@needs_onnx
def test_a_file_says_what_it_is(clip, tmp_path):
    paints = trained()
    for frozen in (None, clip):
        export_network(paints, tmp_path / 'me.onnx', SIZE, frozen, overwrite=True)
        file = open_network(tmp_path / 'me.onnx')
        assert (file.network, file.weights, file.size) == ('net_g', network_hash(paints.model.net_g_ema), SIZE)
        assert file.frozen_on == (whose(clip) if frozen else '')


@needs_onnx
def test_a_folder_that_is_not_there_is_made(tmp_path):
    export_network(trained(), tmp_path / 'new' / 'me.onnx', SIZE)
    assert open_network(tmp_path / 'new' / 'me.onnx').size == SIZE


@needs_onnx
def test_a_file_is_not_put_into_the_clip_of_its_norms(clip, capsys):
    there = sorted(clip.folder.iterdir())
    with pytest.raises(SystemExit) as stop:
        importlib.import_module('tools.export').main([
            '--size', '96x64', '--freeze-norms', str(clip.folder), '--out', str(clip.folder / 'me.onnx')])
    assert stop.value.code == 2 and 'me.onnx: this lies in the input' in capsys.readouterr().err
    assert sorted(clip.folder.iterdir()) == there


def test_the_person_of_frozen_norms_is_known_by_the_video_or_a_name(clip, tmp_path):
    def shown(person, source):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(clip.folder, folder)
        manifest = json.loads((folder / 'manifest.json').read_text())
        (folder / 'manifest.json').write_text(json.dumps(dict(manifest, name=folder.name, person=person, source=source)))
        return Clip(folder)

    mine, named = (shown(person, dict(sha256='ab')) for person in ('person', 'me'))
    more, other = shown('me', dict(sha256='cd')), shown('person', dict(sha256='ef'))
    drawn, painted = (shown('person', source) for source in (None, 'unknown'))
    assert all(is_of(whose(one), two) for one, two in ((mine, mine), (mine, named), (named, mine), (named, more), (drawn, drawn)))
    assert not any(is_of(whose(one), two) for one, two in ((mine, more), (mine, other), (drawn, painted), (painted, mine)))


def test_norms_frozen_over_another_shape_are_refused(clip):
    with pytest.raises(InputError, match='has the shape 96x64, the frames to generate 64x64'):
        recorded_calls(trained(), (64, 64), clip)


def test_a_file_may_be_given_as_a_path(exported):
    model = trained().model
    exported('net_g', network_hash(model.net_g_ema))
    assert 'net_g_ema is that of me.onnx' in speed_up(model, Path('me.onnx'))


@needs_onnx
def test_a_file_that_does_not_agree_replaces_nothing(tmp_path, monkeypatch):
    (tmp_path / 'me.onnx').write_text('a good one')
    for wrong in (torch.ones(1, 3, *SIZE), torch.full((1, 3, *SIZE), float('nan'))):
        monkeypatch.setattr(exporting, 'run_file', lambda *given, content, wrong=wrong: lambda x: wrong)
        with pytest.raises(InputError, match='me.onnx is not written: it would differ from the network'):
            export_network(trained(), tmp_path / 'me.onnx', SIZE)
    assert (tmp_path / 'me.onnx').read_text() == 'a good one'


def test_a_model_that_paints_no_person_of_a_clip_is_refused(clip, monkeypatch):
    cycle_gan = apis.Trained(build_cycle_gan().eval(), Config(dict(model={})), SIZE)
    for frozen_on in (None, clip):
        with pytest.raises(InputError, match='a CycleGAN has a generator for each of ab, ba; one can be exported'):
            recorded_calls(cycle_gan, SIZE, frozen_on)
    looks = trained()
    monkeypatch.setattr(type(looks.model), 'paints_from', ('poses', 'frames'))
    with pytest.raises(InputError, match='this VideoPix2PixHD paints from poses, frames: leave --freeze-norms out'):
        recorded_calls(looks, SIZE, clip)


@pytest.mark.parametrize('tool, arguments', [
    ('generate', ['--driving', 'dance.mp4', '--content', 'me.mp4', '--out', 'out.mp4']), ('export', ['--out', 'me.onnx'])])
def test_an_import_without_a_checkpoint_is_refused(tool, arguments, capsys):
    module = importlib.import_module(f'tools.{tool}')
    with pytest.raises(SystemExit) as stop:
        module.parse_args([*arguments, '--allow-import', 'mine'])
    assert stop.value.code == 2 and '--allow-import is for a checkpoint of your own' in capsys.readouterr().err
    assert module.parse_args(['me.pth', *arguments, '--allow-import', 'mine']).allow_import == ['mine']
    with pytest.raises(SystemExit) as stop:
        module.parse_args(['', *arguments])
    assert stop.value.code == 2 and 'the checkpoint is an empty text' in capsys.readouterr().err
    option = dict(generate='--fast', export='--freeze-norms')[tool]
    with pytest.raises(SystemExit) as stop:
        module.parse_args(['me.pth', *arguments, option, ''])
    assert stop.value.code == 2 and option in (said := capsys.readouterr().err) and 'an empty text' in said


@torch.no_grad()
def test_frozen_norms_compute_the_same_on_the_frame_that_froze_them():
    torch.manual_seed(0)
    plain, frozen = (GlobalGenerator(3, ngf=8, n_down=2, n_blocks=2, up=up).eval() for up in ('nearest', 'nearest'))
    frozen.load_state_dict(plain.state_dict())
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    assert freeze_norms(frozen, [(x,)]) == 9
    assert not any(isinstance(layer, nn.InstanceNorm2d) for layer in frozen.modules())
    torch.testing.assert_close(frozen(x), plain(x), atol=1e-5, rtol=1e-4)
    other = torch.rand(1, 3, 32, 32)
    assert (frozen(other) - plain(other)).abs().max() > 1e-3


def test_norms_that_are_no_constants_are_refused():
    class Bare(nn.Sequential):
        pass

    with pytest.raises(InputError, match='does not directly follow a convolution'):
        freeze_norms(Bare(nn.ReLU(), nn.InstanceNorm2d(3)), [(torch.rand(1, 3, 8, 8),)])
    with pytest.raises(InputError, match='there are none'):
        freeze_norms(nn.Conv2d(1, 1, 1), [])


@needs_onnx
def test_norms_are_frozen_over_frames_of_a_person(clip, tmp_path):
    about = export_network(trained(), tmp_path / 'me.onnx', SIZE, clip)
    assert about['norms'] == 7 and about['difference'] < 1e-3 and 0 < about['change'] < 20


@needs_onnx
def test_what_cannot_be_exported_is_refused(tmp_path):
    with pytest.raises(InputError, match='exported as .onnx'):
        check_export(tmp_path / 'me.pth')
    (tmp_path / 'me.onnx').write_text('mine')
    with pytest.raises(InputError, match='me.onnx'):
        check_export(tmp_path / 'me.onnx')
    with pytest.raises(InputError, match='no network that ONNX Runtime can run'):
        speed_up(trained().model, str(tmp_path / 'me.onnx'))
    assert (tmp_path / 'me.onnx').read_text() == 'mine'
