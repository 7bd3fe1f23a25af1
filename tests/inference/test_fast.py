"""What makes generation fast keeps the pictures, and says what it does."""

import importlib.util
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.models.baseline_parts import build
from tests.models.test_vid2vid import OPTIONS as VID2VID
from toolkit import apis
from toolkit import machine as machines
from toolkit.benchmark.run import run_all
from toolkit.engine.processes import join_processes
from toolkit.generators.blend import BlendGenerator
from toolkit.generators.injection import MODES
from toolkit.generators.pix2pixhd import GlobalGenerator
from toolkit.inference import fast
from toolkit.inference.fast import ByOpenVINO, speed_up
from toolkit.machine import chosen_device, machine
from toolkit.registry import MODELS
from toolkit.structures import InputError

needs_openvino = pytest.mark.skipif(importlib.util.find_spec('openvino') is None,
                                    reason="OpenVINO is not installed: pip install 'human-video-toolkit[export]'")
TOLERANCE = .08
"""Of pictures in [-1, 1], bfloat16 against float32: ten levels of 255 at the worst pixel."""


def model(**generator):
    torch.manual_seed(0)
    generator = generator or dict(type='BlendGenerator', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1))
    return MODELS.build(dict(
        type='VideoPix2PixHD', generator=generator, losses=dict(gan=dict(type='GANLoss')), feature_maps=dict(references=2, plate=True),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=1))).eval()


def colored(mode):
    codes = {name: dict(encoder=dict(type='ResNetEncoder', nz=nz, nef=4, n_down=2)) for name, nz in (('up', 3), ('down', 2))}
    torch.manual_seed(0)
    return MODELS.build(dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1, z_injection=mode),
        losses=dict(gan=dict(type='GANLoss')), discriminator=dict(type='PatchGAN', ndf=4, n_layers=1), color_codes=codes)).eval()


@pytest.fixture
def in_bfloat16(monkeypatch):
    """A machine that is said to be fast in bfloat16, whatever it is."""
    monkeypatch.setattr(fast, 'machine', lambda device: replace(machine(device), half='bfloat16', channels_last=True))


@torch.no_grad()
def painted(model, size=(96, 64)):
    net, channels = model.net_g_ema, model.feature_maps.channels + 3
    x = torch.rand(1, channels, *size, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with model.inference_context():
        return net(x).float()


@pytest.mark.parametrize('way', ['half', pytest.param('openvino', marks=needs_openvino)])
def test_pictures_agree(way):
    plain, quick = model(), model()
    assert torch.equal(painted(plain), painted(quick))
    said = speed_up(quick, way)
    assert said.startswith('fast: ') and '\n' not in said
    for size in ((96, 64), (64, 64)):
        difference = (painted(plain, size) - painted(quick, size)).abs()
        assert difference.max() < TOLERANCE and difference.mean() < TOLERANCE / 20
    assert not machine('cpu').half or difference.max() > 0


@pytest.mark.skipif(not machine('cpu').compiles, reason='needs a C++ compiler')
def test_the_painting_network_is_compiled(monkeypatch):
    real, compiled = nn.Module.compile, []
    monkeypatch.setattr(nn.Module, 'compile', lambda net, **options: (compiled.append(net), real(net, backend='eager'))[0])
    plain, quick = model(), model()
    assert ', compiled' in speed_up(quick, 'compile') and compiled == [quick.net_g, quick.net_g_ema]
    assert quick.net_g_ema._compiled_call_impl is not None
    assert (painted(plain) - painted(quick)).abs().max() < TOLERANCE


@needs_openvino
def test_openvino_computes_the_same_in_float32(monkeypatch):
    monkeypatch.setattr(torch.cpu, '_is_avx512_bf16_supported', lambda: False)
    monkeypatch.setattr(torch.cpu, '_is_amx_tile_supported', lambda: False)
    plain, quick = model(), model()
    assert 'float32 by OpenVINO' in speed_up(quick)
    assert (painted(plain) - painted(quick)).abs().max() < 1e-4
    assert next(iter(quick.net_g_ema.forward._prepared.values())) is not None


@needs_openvino
@torch.no_grad()
def test_codes_and_regions_reach_a_network_that_openvino_runs():
    torch.manual_seed(0)
    net = GlobalGenerator(4, ngf=8, n_down=2, n_blocks=1, z_dims=(3, 2)).eval()
    x, z, regions = torch.rand(1, 4, 32, 32), torch.randn(1, 5), torch.rand(1, 2, 32, 32)
    wanted, bare = net(x, z, regions), GlobalGenerator(4, ngf=8, n_down=2, n_blocks=1).eval()
    net.forward = ByOpenVINO(net, machine('cpu').half)
    assert (net(x, z, regions) - wanted).abs().max() < TOLERANCE
    assert (net(x, z + 2, regions) - net(x, z, regions)).abs().max() > 0
    wanted, bare.forward = bare(x), ByOpenVINO(bare, machine('cpu').half)
    assert (bare(x, None, None) - wanted).abs().max() < TOLERANCE


@pytest.mark.parametrize('mode', MODES)
def test_colors_are_painted_in_half_precision(mode, in_bfloat16):
    plain, quick = colored(mode), colored(mode)
    assert 'networks in bfloat16' in speed_up(quick, 'half')
    assert next(quick.test_stream([quick.example_batch(32, 32, 1)]))['generated'].shape == (1, 32, 32, 3)
    x, z, regions = torch.rand(1, quick.feature_maps.channels + 3, 32, 32) * 2 - 1, torch.randn(1, 5), torch.rand(1, 2, 32, 32)
    with torch.no_grad(), quick.inference_context():
        found = quick.net_g_ema(x, z, regions).float()
    with torch.no_grad():
        difference = (found - plain.net_g_ema(x, z, regions)).abs()
    assert 0 < difference.mean() < TOLERANCE
    assert any(layer.weight.dtype is torch.bfloat16 for layer in quick.net_g_ema.modules() if isinstance(layer, nn.Conv2d))


@pytest.mark.parametrize('way', ['openvino', 'graph', 'compile'])
def test_a_way_that_changes_no_network_is_refused(way, monkeypatch):
    monkeypatch.setattr(fast, 'machine', lambda device: replace(machine(device), openvino=True, graphs=True, compiles=True))
    with pytest.raises(InputError, match=f"fast='{way}' would change nothing: .* a Vid2Vid has networks of its own"):
        speed_up(build('Vid2Vid', **VID2VID), way)


def test_what_is_not_replaced_is_not_said_to_be(monkeypatch):
    monkeypatch.setattr(fast, 'machine', lambda device: replace(machine(device), half='bfloat16', openvino=True))
    model = build('Vid2Vid', **VID2VID)
    assert speed_up(model).startswith('fast: networks in bfloat16, otherwise as they are') and model.inference_dtype == 'bfloat16'
    monkeypatch.setattr(fast, 'machine', lambda device: replace(machine(device), half=None, openvino=True, graphs=True))
    assert 'the networks of a Vid2Vid stay as they are' in speed_up(build('Vid2Vid', **VID2VID))


@pytest.mark.parametrize('wish', ['foo', 'cuda:99', 'meta', 'cuda:x'])
def test_a_device_that_is_not_there_is_refused_at_once(wish):
    for call in (chosen_device, join_processes, lambda wish: apis.load('missing.pth', wish), lambda wish: run_all([], device=wish)):
        with pytest.raises(InputError, match=f'--device {wish}: this machine has no such device; it has cpu'):
            call(wish)
    assert chosen_device('cpu:0').type == chosen_device(torch.device('cpu')).type == 'cpu'
    assert chosen_device().type == ('cuda' if torch.cuda.is_available() else 'cpu')


def test_a_runtime_that_fails_leaves_the_network_as_it_is(monkeypatch, caplog):
    class Broken(fast._ByShape):
        def prepare(self, given):
            raise RuntimeError('no such operation\nmore')

    net = nn.Conv2d(1, 1, 1)
    x, said = torch.rand(1, 1, 4, 4), []
    monkeypatch.setattr(fast, 'print_log', lambda text, *more: said.append(text))
    wanted, net.forward = net(x), Broken(net)
    assert torch.equal(net(x), wanted) and torch.equal(net(x), wanted)
    assert said == ['Conv2d is run as it is, not fast: no such operation']


def test_what_the_machine_lacks_is_said_before_anything_is_done(monkeypatch):
    with pytest.raises(InputError, match='fast must be one of auto, half'):
        speed_up(model(), 'quick')
    monkeypatch.setattr(machines.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(InputError, match=r"needs OpenVINO, which runs on a CPU: pip install 'human-video-toolkit\[export\]'"):
        speed_up(model(), 'openvino')
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="fast='graph' needs a GPU"):
            speed_up(model(), 'graph')
    assert 'pip install' in speed_up(model())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
@pytest.mark.parametrize('way', ['half', 'graph'])
@torch.no_grad()
def test_a_recorded_network_follows_its_input(way):
    plain, quick = model().cuda(), model().cuda()
    speed_up(quick, way)
    channels = plain.feature_maps.channels + 3
    for seed in range(4):
        x = torch.rand(1, channels, 96, 64, generator=torch.Generator().manual_seed(seed)).cuda() * 2 - 1
        with quick.inference_context():
            found = quick.net_g_ema(x).float()
        assert (plain.net_g_ema(x) - found).abs().max() < TOLERANCE
    if way == 'graph':
        recorded = quick.net_g_ema.forward._prepared
        assert recorded and None not in recorded.values(), 'else the network ran as it is'


def test_only_what_paints_is_changed():
    quick = model()
    discriminator = {key: value.clone() for key, value in quick.net_d.state_dict().items()}
    speed_up(quick, 'half')
    assert all(torch.equal(value, discriminator[key]) for key, value in quick.net_d.state_dict().items())
    assert isinstance(quick.net_g_ema, BlendGenerator)
