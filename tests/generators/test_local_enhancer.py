"""LocalEnhancer: counts, sizes, agreement with an independent formulation."""

import pytest
import torch
from torch import nn

from tests.helpers import count
from toolkit.generators.local_enhancer import LocalEnhancer
from toolkit.generators.pix2pixhd import GlobalGenerator
from toolkit.structures import InputError

SMALL = dict(ngf=4, n_down=2, n_blocks=1, n_local_blocks=1)


@pytest.mark.parametrize('options, parameters', [
    (dict(input_nc=31), 182_833_539),
    (dict(input_nc=7, z_dims=(16, 8), z_injection='tile'), 182_833_539),
    (dict(input_nc=35), 182_852_355),
    (dict(input_nc=36), 182_857_059),
])
def test_parameter_count(options, parameters):
    with torch.device('meta'):
        generator = LocalEnhancer(**options)
    assert count(generator) == parameters


def test_parameters_of_the_stages():
    with torch.device('meta'):
        generator = LocalEnhancer(31)
    assert count(generator.trunk) == 182_521_664
    assert count(generator.enhancers) + count(generator.head) == 311_875


def test_map_sizes_at_384x256():
    with torch.device('meta'):
        generator = LocalEnhancer(7)
        shapes = {}
        layers = dict(trunk=generator.trunk, bottom=generator.trunk.blocks[-1], blocks=generator.enhancers[0].blocks[-1])
        for name, layer in layers.items():
            layer.register_forward_hook(lambda module, args, output, name=name: shapes.__setitem__(name, tuple(output.shape[1:])))
        picture = generator(torch.zeros(1, 7, 384, 256))
    assert shapes == dict(trunk=(64, 192, 128), bottom=(1024, 12, 8), blocks=(64, 192, 128))
    assert picture.shape == (1, 3, 384, 256)


def test_agrees_with_plain_layers():
    """The same network from nn layers alone, on the weights of ours."""
    torch.manual_seed(0)
    generator = LocalEnhancer(5, **SMALL)
    norm, relu, pad = nn.functional.instance_norm, nn.functional.relu, nn.functional.pad
    parameters = iter(generator.state_dict().values())

    def conv(x, size, stride=1):
        reflected = pad(x, (size // 2,) * 4, mode='reflect') if stride == 1 else pad(x, (1,) * 4)
        return nn.functional.conv2d(reflected, next(parameters), next(parameters), stride)

    def up(x):
        return relu(norm(nn.functional.conv_transpose2d(x, next(parameters), next(parameters), 2, 1, 1)))

    def residual(x):
        return x + norm(conv(relu(norm(conv(x, 3))), 3))

    x = torch.rand(2, 5, 32, 24) * 2 - 1
    ones = nn.functional.avg_pool2d(torch.ones_like(x), 3, 2, 1)
    coarse = nn.functional.avg_pool2d(x, 3, 2, 1) / ones
    coarse = relu(norm(conv(coarse, 7)))
    for _ in range(2):
        coarse = relu(norm(conv(coarse, 3, stride=2)))
    coarse = up(up(residual(coarse)))
    fine = relu(norm(conv(relu(norm(conv(x, 7))), 3, stride=2)))
    expected = torch.tanh(conv(up(residual(fine + coarse)), 7))
    assert next(parameters, None) is None
    torch.testing.assert_close(generator(x), expected, atol=1e-5, rtol=0)


def test_trunk_takes_a_global_generators_weights():
    """Training at half size first, as pix2pixHD's high-resolution recipe does."""
    torch.manual_seed(0)
    half_size = GlobalGenerator(5, ngf=8, n_down=2, n_blocks=1)
    generator = LocalEnhancer(5, **SMALL)
    generator.trunk.load_state_dict(half_size.trunk.state_dict())
    loaded, given = generator.trunk.state_dict(), half_size.trunk.state_dict()
    assert list(loaded) == list(given) and all(torch.equal(loaded[key], given[key]) for key in given)


@pytest.mark.parametrize('n_enhancers', [0, 1, 2])
def test_number_of_enhancers(n_enhancers):
    generator = LocalEnhancer(4, n_enhancers=n_enhancers, z_dims=(2, 1), **SMALL)
    size = 2**(2 + n_enhancers) * 2
    picture = generator(torch.randn(1, 4, size, size), torch.randn(1, 3), torch.rand(1, 2, size, size))
    assert picture.shape == (1, 3, size, size)
    picture.mean().backward()
    assert all(p.grad is not None for p in generator.parameters())


@pytest.mark.parametrize('n_enhancers', [0, 1])
@pytest.mark.parametrize('mode', ['region_rgb', 'last_film', 'region_film', 'film'])
def test_the_code_acts_with_any_number_of_enhancers(mode, n_enhancers):
    generator = LocalEnhancer(4, n_enhancers=n_enhancers, z_dims=(2, 1), z_injection=mode, **SMALL)
    for layer in generator.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight)
    x, regions = torch.randn(1, 4, 32, 32), torch.ones(1, 2, 32, 32)
    with torch.no_grad():
        a, b = (generator(x, z, regions) for z in torch.randn(2, 1, 3))
    assert (a - b).abs().mean() > 1e-3


@pytest.mark.parametrize('build, message', [
    (lambda: GlobalGenerator(4, ngf=4, n_down=2, n_blocks=0, z_dims=(2,), z_injection='film'), r'residual blocks \(n_blocks\)'),
    (lambda: GlobalGenerator(4, ngf=4, n_down=0, z_dims=(2,), z_injection='last_film'), r'the last up-convolution \(n_down\)'),
    (lambda: LocalEnhancer(4, **dict(SMALL, n_blocks=0, n_local_blocks=0), z_dims=(2,), z_injection='film'), 'LocalEnhancer has none')])
def test_a_code_that_no_layer_looks_at_is_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()


def test_wrong_size_names_the_multiple():
    with pytest.raises(InputError, match='multiples of 8'):
        LocalEnhancer(4, **SMALL)(torch.zeros(1, 4, 20, 24))


def test_checkpoint_keeps_less_at_384x256():
    def kept(checkpoint):
        with torch.device('meta'):
            generator = LocalEnhancer(7, z_dims=(16, 8), checkpoint=checkpoint)
            inputs = torch.zeros(1, 7, 384, 256), torch.zeros(1, 24), torch.zeros(1, 2, 384, 256)
        storages = {}

        def pack(tensor):
            if not isinstance(tensor, nn.Parameter):
                storages[tensor.untyped_storage()._cdata] = tensor
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            generator(*inputs)
        return sum(t.untyped_storage().nbytes() for t in storages.values()) / 2**20

    assert kept(False) == pytest.approx(274, rel=0.05)
    assert kept(True) == pytest.approx(164, rel=0.05)


def test_checkpoint_gives_the_same_gradients():
    torch.manual_seed(0)
    plain, saving = LocalEnhancer(4, **SMALL), LocalEnhancer(4, checkpoint=True, **SMALL)
    saving.load_state_dict(plain.state_dict())
    calls = []
    saving.enhancers[0].blocks[0].conv2.register_forward_hook(lambda *_: calls.append(1))
    x = torch.randn(1, 4, 32, 32)
    for generator in (plain, saving):
        generator(x).square().mean().backward()
    assert len(calls) == 2
    for p, s in zip(plain.parameters(), saving.parameters()):
        torch.testing.assert_close(p.grad, s.grad)
