"""GlobalGenerator: counts, sizes, agreement with a plain nn.Sequential, memory and compile switches."""

import pytest
import torch
from torch import nn

from tests.helpers import count
from toolkit.generators.blocks import ResidualBlock
from toolkit.generators.local_enhancer import LocalEnhancer
from toolkit.generators.pix2pixhd import GlobalGenerator
from toolkit.generators.resnet import ResNetGenerator
from toolkit.registry import GENERATORS
from toolkit.structures import InputError

SMALL = dict(ngf=8, n_down=3, n_blocks=2)


@pytest.mark.parametrize('options, parameters', [
    (dict(input_nc=3), 182_443_267),
    (dict(input_nc=4), 182_446_403),
    (dict(input_nc=31), 182_531_075),
    (dict(input_nc=36), 182_546_755),
    (dict(input_nc=7, z_dims=(16, 8), z_injection='tile'), 182_531_075),
    (dict(input_nc=7, z_dims=(16, 8), z_injection='stem_nonorm'), 182_531_075),
    (dict(input_nc=3, n_down=3), 45_593_347),
    (dict(input_nc=3, up='nearest'), 182_443_267),
    (dict(input_nc=6, n_down=3, n_blocks=5), 26_724_291),
    (dict(input_nc=31, ngf=16, n_down=3, n_blocks=3), 1_106_051),
    (dict(input_nc=31, ngf=8, n_down=3, n_blocks=2), 209_603),
    (dict(input_nc=4, ngf=16, n_down=3, n_blocks=3, z_dims=(16, 8), z_injection='region_film'), 1_130_643),
    (dict(input_nc=4, ngf=16, n_down=3, n_blocks=3, z_dims=(16, 8), z_injection='last_film'), 1_090_707),
    (dict(input_nc=4, ngf=16, n_down=3, n_blocks=3, z_dims=(16, 8)), 1_093_177),
])
def test_parameter_count(options, parameters):
    with torch.device('meta'):
        generator = GENERATORS.build(dict(type='GlobalGenerator', **options))
    assert count(generator) == parameters


def test_map_sizes_at_384x256():
    with torch.device('meta'):
        generator = GlobalGenerator(7)
        shapes = []
        for layer in (generator.trunk.stem, *generator.trunk.downs, *generator.trunk.ups):
            layer.register_forward_hook(lambda module, args, output: shapes.append(tuple(output.shape[1:])))
        picture = generator(torch.zeros(1, 7, 384, 256))
    down = [(64, 384, 256), (128, 192, 128), (256, 96, 64), (512, 48, 32), (1024, 24, 16)]
    assert shapes == down + down[-2::-1]
    assert picture.shape == (1, 3, 384, 256)


class PlainResidual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels))

    def forward(self, x):
        return x + self.body(x)


def plain_generator(inputs, ngf, n_down, n_blocks):
    """pix2pixHD's global generator as one list of layers, written from its description."""
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, ngf, 7), nn.InstanceNorm2d(ngf), nn.ReLU()]
    width = ngf
    for _ in range(n_down):
        layers += [nn.Conv2d(width, 2 * width, 3, 2, 1), nn.InstanceNorm2d(2 * width), nn.ReLU()]
        width *= 2
    layers += [PlainResidual(width) for _ in range(n_blocks)]
    for _ in range(n_down):
        layers += [nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1), nn.InstanceNorm2d(width // 2), nn.ReLU()]
        width //= 2
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh())


def test_agrees_with_plain_sequential():
    torch.manual_seed(0)
    generator = GlobalGenerator(5, **SMALL)
    plain = plain_generator(5, *SMALL.values())
    ours, theirs = list(generator.state_dict().values()), plain.state_dict()
    assert [p.shape for p in ours] == [p.shape for p in theirs.values()]
    plain.load_state_dict(dict(zip(theirs, ours)))
    x = torch.rand(2, 5, 32, 48) * 2 - 1
    torch.testing.assert_close(generator(x), plain(x), atol=1e-5, rtol=0)


def test_initial_weights():
    torch.manual_seed(0)
    generator = GlobalGenerator(7, ngf=16, n_down=3, n_blocks=3)
    for layer in generator.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            assert layer.weight.std().item() == pytest.approx(0.02, rel=0.1)
            assert layer.bias.abs().max() > 0


def test_output_is_a_picture():
    x = 100 * torch.randn(1, 4, 32, 32)
    picture = GlobalGenerator(4, **SMALL)(x)
    assert picture.shape == (1, 3, 32, 32)
    assert picture.abs().max() <= 1


def test_samples_of_a_batch_do_not_mix():
    torch.manual_seed(0)
    generator = GlobalGenerator(4, z_dims=(3, 2), **SMALL)
    x, z, regions = torch.randn(3, 4, 32, 32), torch.randn(3, 5), torch.rand(3, 2, 32, 32)
    single = torch.cat([generator(x[i:i + 1], z[i:i + 1], regions[i:i + 1]) for i in range(3)])
    torch.testing.assert_close(generator(x, z, regions), single, atol=1e-5, rtol=0)


@pytest.mark.parametrize('up, down_padding, norm', [
    ('nearest', 'zeros', 'instance'), ('transposed', 'reflect', 'instance'), ('transposed', 'zeros', 'batch'),
    ('transposed', 'zeros', 'group1'), ('nearest', 'reflect', 'none')])
def test_options_run(up, down_padding, norm):
    generator = GlobalGenerator(4, up=up, down_padding=down_padding, norm=norm, **SMALL)
    generator(torch.randn(2, 4, 16, 24)).mean().backward()
    assert all(p.grad is not None for p in generator.parameters())


@pytest.mark.parametrize('options, word', [
    (dict(up='bilinear'), 'nearest'), (dict(norm='layer'), 'group1'), (dict(z_injection='x'), 'film')])
def test_unknown_option_names_the_known_ones(options, word):
    with pytest.raises(InputError, match=word):
        GlobalGenerator(4, **SMALL, **options)


@pytest.mark.parametrize('make', [GlobalGenerator, LocalEnhancer, ResNetGenerator])
@pytest.mark.parametrize('name', ['n_blocks', 'n_down'])
def test_fewer_layers_than_none_are_refused(make, name):
    with pytest.raises(InputError, match=f'{name}=-1, expected 0 or more'):
        make(4, **{name: -1})


@pytest.mark.parametrize('height, width, nearest', [(100, 64, '96 or 104 x 64'), (64, 63, '64 x 56 or 64'), (8, 64, '16 x 64')])
def test_wrong_size_names_the_nearest(height, width, nearest):
    with pytest.raises(InputError, match='multiples of 8') as error:
        GlobalGenerator(4, **SMALL)(torch.zeros(1, 4, height, width))
    assert nearest in str(error.value)


def test_wrong_channels():
    with pytest.raises(InputError, match=r'\(B, 4, H, W\)'):
        GlobalGenerator(4, **SMALL)(torch.zeros(1, 5, 32, 32))


def test_checkpoint_gives_the_same_gradients_and_runs_blocks_twice():
    torch.manual_seed(0)
    options = dict(z_dims=(3, 2), **SMALL)
    plain, saving = GlobalGenerator(4, **options), GlobalGenerator(4, checkpoint=True, **options)
    saving.load_state_dict(plain.state_dict())
    calls = []
    saving.trunk.blocks[0].conv2.register_forward_hook(lambda *_: calls.append(1))
    x, regions = torch.randn(1, 4, 32, 32), torch.rand(1, 2, 32, 32)
    codes = [torch.ones(1, 5, requires_grad=True) for _ in range(2)]
    for generator, z in zip((plain, saving), codes):
        generator(x, z, regions).square().mean().backward()
    assert len(calls) == 2
    for p, s in zip((codes[0], *plain.parameters()), (codes[1], *saving.parameters())):
        torch.testing.assert_close(p.grad, s.grad)
    saving.eval()(x, codes[1], regions).mean().backward()
    assert len(calls) == 3


def test_channels_last_and_bf16_stay_close():
    torch.manual_seed(0)
    generator = GlobalGenerator(4, z_dims=(3, 2), **SMALL)
    x, z, regions = torch.randn(2, 4, 32, 32), torch.randn(2, 5), torch.rand(2, 2, 32, 32)
    plain = generator(x, z, regions)
    generator.to(memory_format=torch.channels_last)
    x = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(generator(x, z, regions), plain, atol=1e-5, rtol=0)
    with torch.autocast('cpu', torch.bfloat16):
        half = generator(x, z, regions)
    assert (half.float() - plain).abs().mean() < 0.03
    half.float().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in generator.parameters())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_gpu_agrees_with_cpu():
    torch.manual_seed(0)
    generator = GlobalGenerator(4, z_dims=(3, 2), **SMALL)
    inputs = torch.randn(2, 4, 32, 32), torch.randn(2, 5), torch.rand(2, 2, 32, 32)
    plain = generator(*inputs)
    generator.to('cuda', memory_format=torch.channels_last)
    x, z, regions = (t.cuda() for t in inputs)
    x = x.to(memory_format=torch.channels_last)
    assert (generator(x, z, regions).cpu() - plain).abs().mean() < 0.01
    with torch.autocast('cuda', torch.bfloat16):
        half = generator(x, z, regions)
    assert (half.float().cpu() - plain).abs().mean() < 0.03


def test_traces_to_one_graph():
    torch.manual_seed(0)
    generator = GlobalGenerator(4, z_dims=(3, 2), **SMALL)
    inputs = torch.randn(1, 4, 16, 16), torch.randn(1, 5), torch.rand(1, 2, 16, 16)
    compiled = torch.compile(generator, backend='eager', fullgraph=True)
    torch.testing.assert_close(compiled(*inputs), generator(*inputs))


def test_residual_block_is_usable_alone():
    block = ResidualBlock(6, norm='none')
    for parameter in block.conv2.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(1, 6, 5, 7)
    torch.testing.assert_close(block(x), x)
