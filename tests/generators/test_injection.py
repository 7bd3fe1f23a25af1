"""z acts in every mode but the literal one; region-gated modulation acts where its region is; errors are clear."""

import pytest
import torch

from toolkit.generators.injection import MODES, NEED_REGIONS, FiLM, RegionFiLM, RegionRGB
from toolkit.generators.local_enhancer import LocalEnhancer
from toolkit.generators.pix2pixhd import GlobalGenerator
from toolkit.structures import InputError

Z_DIMS = (16, 8)
SIZE = (64, 48)


def small(kind, mode, **options):
    torch.manual_seed(0)
    if kind == 'global':
        return GlobalGenerator(7, ngf=8, n_down=3, n_blocks=2, z_dims=Z_DIMS, z_injection=mode, **options).eval()
    return LocalEnhancer(7, ngf=8, n_down=2, n_blocks=2, n_local_blocks=1, z_dims=Z_DIMS, z_injection=mode, **options).eval()


def body():
    """Upper and lower region of a person who covers a sixth of the picture."""
    regions = torch.zeros(1, 2, *SIZE)
    regions[:, 0, 12:32, 16:32] = 1
    regions[:, 1, 32:56, 16:32] = 1
    return regions


def change(generator, z1, z2, regions):
    torch.manual_seed(1)
    x = torch.rand(1, 7, *SIZE) * 2 - 1
    with torch.no_grad():
        return (generator(x, z1, regions) - generator(x, z2, regions)).abs()


@pytest.mark.parametrize('kind', ['global', 'local'])
@pytest.mark.parametrize('mode', MODES)
def test_z_acts_at_init_but_in_the_literal_mode(kind, mode):
    generator = small(kind, mode)
    torch.manual_seed(2)
    difference = change(generator, torch.randn(1, 24), torch.randn(1, 24), body()).mean()
    if mode == 'tile':
        assert difference < 1e-4
    else:
        assert difference > 1e-3


@pytest.mark.parametrize('mode', [m for m in MODES if m != 'tile'])
@pytest.mark.parametrize('part', [slice(0, 16), slice(16, 24)])
def test_each_code_acts_and_gets_gradient(mode, part):
    generator = small('global', mode)
    torch.manual_seed(2)
    z1 = torch.randn(1, 24)
    z2 = z1.clone()
    z2[:, part] = torch.randn_like(z2[:, part])
    assert change(generator, z1, z2, body()).mean() > 1e-3
    z1.requires_grad_()
    generator(torch.rand(1, 7, *SIZE), z1, body()).square().mean().backward()
    assert z1.grad[:, part].abs().max() > 1e-6


def test_literal_tile_is_dead_for_any_weights():
    """Not a matter of initial weights: exact in float64 after a large random change of all weights."""
    generator = small('local', 'tile').double()
    torch.manual_seed(3)
    for parameter in generator.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    x = torch.rand(1, 7, *SIZE, dtype=torch.float64)
    with torch.no_grad():
        one, two = (generator(x, 5 * torch.randn(1, 24, dtype=torch.float64)) for _ in range(2))
    assert (one - two).abs().max() < 1e-9


def test_tile_alone_lives_without_instance_norm():
    difference = change(small('global', 'tile', norm='group1'), torch.zeros(1, 24), torch.ones(1, 24), None).mean()
    assert difference > 1e-3


@pytest.mark.parametrize('mode', ['film', 'region_film', 'last_film'])
def test_film_is_identity_at_zero_code(mode):
    with_z = small('global', mode)
    torch.manual_seed(0)
    without = GlobalGenerator(7, ngf=8, n_down=3, n_blocks=2).eval()
    without.load_state_dict({k: v for k, v in with_z.state_dict().items() if 'film' not in k})
    x = torch.rand(1, 7, *SIZE)
    torch.testing.assert_close(with_z(x, torch.zeros(1, 24), body()), without(x))


@pytest.mark.parametrize('mode', NEED_REGIONS)
def test_code_without_region_has_no_effect(mode):
    regions = body()
    regions[:, 1] = 0
    z = torch.randn(1, 24)
    other = torch.cat([z[:, :16], torch.randn(1, 8)], 1)
    assert change(small('local', mode), z, other, regions).max() == 0


def test_region_film_acts_in_its_region():
    z = torch.randn(1, 24)
    other = torch.cat([torch.randn(1, 16), z[:, 16:]], 1)
    regions = body()
    difference = change(small('global', 'region_film'), z, other, regions).mean(1)[0]
    assert difference[regions[0, 0] > 0].mean() > 3 * difference[regions.sum(1)[0] == 0].mean()


@pytest.mark.parametrize('kind', ['global', 'local'])
def test_last_film_reaches_no_farther_than_the_last_convolution(kind):
    z, regions = torch.randn(1, 24), body()
    other = torch.cat([z[:, :16], torch.randn(1, 8)], 1)
    near = torch.nn.functional.max_pool2d(regions[:, 1:], 7, stride=1, padding=3)[0, 0] > 0
    stays, spreads = (change(small(kind, mode), z, other, regions).amax(1)[0] for mode in ('last_film', 'region_film'))
    assert stays[near].max() > 1e-2 and not near.all()
    assert stays[~near].max() == 0 and spreads[~near].max() > 0


@pytest.mark.parametrize('kind', ['global', 'local'])
def test_region_rgb_acts_in_its_region_alone(kind):
    z, regions = torch.randn(1, 24), body()
    other = torch.cat([z[:, :16], torch.randn(1, 8)], 1)
    moved = change(small(kind, 'region_rgb'), z, other, regions).amax(1)[0]
    inside = regions[0, 1] > 0
    assert moved[inside].mean() > 1e-3 and moved[~inside].max() == 0


def test_region_rgb_formula():
    """Against the definition, pixel by pixel."""
    torch.manual_seed(0)
    layer = RegionRGB(5, 3, (2, 0, 4), hidden=7)
    h, z, gates = torch.randn(2, 5, 4, 6), torch.randn(2, 6), torch.rand(2, 3, 4, 6)
    out = layer(h, z, gates)
    weights = layer.weights[0](z[:, :2]).reshape(2, 3, 6), layer.weights[2](z[:, 2:]).reshape(2, 3, 6)
    for b, y, x in ((0, 0, 0), (1, 3, 5), (1, 2, 1)):
        pixel = torch.cat([h[b, :, y, x], torch.ones(1)])
        expected = sum(gates[b, region, y, x] * weight[b] @ pixel for region, weight in zip((0, 2), weights))
        torch.testing.assert_close(out[b, :, y, x], expected)
    assert layer.weights[1].state_dict() == {}


def test_region_film_formula():
    """Against the definition, pixel by pixel."""
    torch.manual_seed(0)
    layer = RegionFiLM(3, (2, 0, 4))
    for linear in (layer.linears[0], layer.linears[2]):
        torch.nn.init.normal_(linear.bias)
    h, z, gates = torch.randn(2, 3, 4, 5), torch.randn(2, 6), torch.rand(2, 3, 4, 5)
    out = layer(h, z, gates)
    upper, lower = layer.linears[0](z[:, :2]), layer.linears[2](z[:, 2:])
    for b, y, x in ((0, 0, 0), (1, 3, 4), (1, 2, 0)):
        affine = gates[b, 0, y, x] * upper[b] + gates[b, 2, y, x] * lower[b]
        torch.testing.assert_close(out[b, :, y, x], (1 + affine[:3]) * h[b, :, y, x] + affine[3:])
    assert layer.linears[1].state_dict() == {}


def test_region_film_in_bf16_at_the_papers_size():
    """A product of this shape in bfloat16 has ended the process."""
    layer = RegionFiLM(16, (16, 8))
    h = torch.randn(1, 16, 384, 256, dtype=torch.bfloat16)
    with torch.autocast('cpu', torch.bfloat16):
        out = layer(h, torch.randn(1, 24), torch.rand(1, 2, 384, 256))
    assert out.dtype == torch.bfloat16
    out.float().square().mean().backward()
    assert layer.linears[0].weight.grad.abs().max() > 0


def test_film_formula():
    layer = FiLM(3, (2, 4))
    h, z = torch.randn(2, 3, 4, 5), torch.randn(2, 6)
    affine = layer.linear(z)
    torch.testing.assert_close(layer(h, z, None), torch.stack(
        [(1 + affine[b, :3, None, None]) * h[b] + affine[b, 3:, None, None] for b in range(2)]))


def test_regions_are_area_averaged_at_every_level():
    generator = small('local', 'region_film')
    regions = torch.rand(1, 2, *SIZE)
    _, gates = generator.injection.inject(torch.zeros(1, 7, *SIZE), torch.zeros(1, 24), regions, 3)
    for level, gate in enumerate(gates):
        expected = torch.nn.functional.interpolate(regions, scale_factor=1 / 2**level, mode='area')
        torch.testing.assert_close(gate, expected)


@pytest.mark.parametrize('mode', MODES)
def test_missing_inputs_are_named(mode):
    generator = small('global', mode)
    x = torch.zeros(1, 7, *SIZE)
    with pytest.raises(InputError, match='give z'):
        generator(x)
    with pytest.raises(InputError, match=r'\(1, 24\)'):
        generator(x, torch.zeros(1, 23), body())
    with pytest.raises(InputError, match=r'\(1, 24\)'):
        generator(x, torch.zeros(2, 24), body())
    if mode in NEED_REGIONS:
        with pytest.raises(InputError, match='needs regions'):
            generator(x, torch.zeros(1, 24))
        with pytest.raises(InputError, match='regions have shape'):
            generator(x, torch.zeros(1, 24), body()[:, :1])
    else:
        generator(x, torch.zeros(1, 24))


def test_code_for_a_generator_without_is_refused():
    generator = GlobalGenerator(7, ngf=8, n_down=3, n_blocks=1)
    with pytest.raises(InputError, match='without a code'):
        generator(torch.zeros(1, 7, *SIZE), torch.zeros(1, 24))
