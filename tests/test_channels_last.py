"""Layers for channels last: the same as torch's, where they are used, and that nothing is silently old."""

import copy

import pytest
import torch
from torch import nn

from toolkit import channels_last
from toolkit.channels_last import is_channels_last, shared_casts, use_channels_last
from toolkit.engine.optim import SGD, Adam, AdamW

LAYERS = {
    'reflected': (nn.Conv2d(12, 20, 3, padding=1, padding_mode='reflect'), (2, 12, 7, 5)),
    'uneven': (nn.Conv2d(12, 20, (3, 1), (2, 1), (1, 0)), (2, 12, 7, 5)),
    'rows that are left over': (nn.Conv2d(12, 20, 4, 2, 1), (1, 12, 9, 6)),
    'no bias': (nn.Conv2d(12, 20, 4, padding=2, bias=False), (1, 12, 5, 4)),
    'transposed': (nn.ConvTranspose2d(12, 20, 4, 2, 1), (2, 12, 3, 4)),
    'transposed, one more row': (nn.ConvTranspose2d(12, 20, 3, (2, 1), 1, (1, 0), bias=False), (2, 12, 3, 4)),
}
BEYOND = {
    'groups': nn.Conv2d(12, 12, 3, groups=4), 'dilated': nn.Conv2d(12, 20, 3, dilation=2), 'same': nn.Conv2d(12, 20, 3, padding='same'),
    'transposed groups': nn.ConvTranspose2d(12, 12, 3, groups=4)}


@pytest.fixture
def every_layer(monkeypatch):
    """Matrix products for weights of any number; counts them."""
    counts = []
    monkeypatch.setattr(channels_last, 'LEAST_WEIGHTS', 0)
    for kind in (channels_last._Product, channels_last._TransposedProduct):
        monkeypatch.setattr(kind, 'apply', lambda *given, apply=kind.apply: counts.append(1) or apply(*given))
    return counts


def as_channels_last(x):
    return x.contiguous(memory_format=torch.channels_last)


def passed(layer, x, half=False):
    """Output, gradient of the input and of the parameters, in double precision."""
    layer, x = copy.deepcopy(layer), as_channels_last(x).requires_grad_()
    with torch.autocast('cpu', torch.bfloat16, enabled=half):
        made = layer(x)
    made.backward(torch.randn(made.shape, generator=torch.Generator().manual_seed(1)).to(made.dtype))
    return [value.double() for value in (made.detach(), x.grad, *(p.grad for p in layer.parameters()))]


@pytest.mark.parametrize('name', LAYERS)
def test_products_are_convolutions(name, every_layer):
    """Up to half precision, as torch's own."""
    torch.manual_seed(0)
    layer, size = LAYERS[name]
    layer, x = copy.deepcopy(layer), torch.randn(size)
    truth, torchs = passed(layer, x), passed(layer, x, half=True)
    assert not every_layer
    use_channels_last(layer)
    ours = passed(layer, x, half=True)
    assert every_layer and type(layer).__module__ == channels_last.__name__
    for true, a, b in zip(truth, torchs, ours, strict=True):
        assert true.shape == b.shape and (b - true).norm() < 0.01 * true.norm()
        assert (b - true).norm() < 1.6 * (a - true).norm() + 1e-3 * true.norm()


@pytest.mark.parametrize('options', [{}, dict(padding=0)])
@pytest.mark.parametrize('kind', [nn.Conv2d, nn.ConvTranspose2d])
@pytest.mark.parametrize('frozen', [False, True])
def test_layers_that_work_in_place_may_follow(kind, options, frozen, every_layer):
    """As in VGG-19, whose deepest maps are small."""
    torch.manual_seed(0)
    layers, x = nn.Sequential(kind(12, 20, 3, **options), nn.ReLU(inplace=True)).requires_grad_(not frozen), torch.randn(1, 12, 5, 5)
    given = [as_channels_last(x.clone()).requires_grad_() for _ in range(2)]
    truth = layers(given[0])
    truth.sum().backward()
    use_channels_last(layers, frozen)
    with torch.autocast('cpu', torch.bfloat16):
        layers(given[1]).sum().backward()
    assert every_layer and (given[1].grad - given[0].grad).norm() < 0.15 * given[0].grad.norm()


@pytest.mark.parametrize('name', LAYERS)
def test_gradients_of_products_exactly(name, every_layer):
    """First and second derivatives, against differences: where no rounding hides a fault."""
    layer, size = LAYERS[name]
    layer = copy.deepcopy(layer).double()
    transposed = isinstance(layer, nn.ConvTranspose2d)
    product = (channels_last._TransposedProduct if transposed else channels_last._Product).apply

    def made(x, weight, *bias):
        return product(x, as_channels_last(weight), bias[0] if bias else None, layer.stride)

    given = [torch.randn(1, 12, 4, 4, dtype=torch.double)[:, :2].requires_grad_(),
             (layer.weight[:2] if transposed else layer.weight[:, :2])[..., :3, :3].detach().requires_grad_()]
    given += [layer.bias.detach().requires_grad_()] if layer.bias is not None else []
    channels_last_zeros = torch.zeros
    with pytest.MonkeyPatch.context() as patch:  # sums are float32 otherwise
        patch.setattr(torch, 'zeros', lambda *sizes: channels_last_zeros(*sizes, dtype=torch.double))
        assert torch.autograd.gradcheck(made, given) and torch.autograd.gradgradcheck(made, given)


@pytest.mark.parametrize('name', BEYOND)
def test_other_convolutions_stay_torchs(name, every_layer):
    torch.manual_seed(0)
    layer, x = copy.deepcopy(BEYOND[name]), torch.randn(1, 12, 6, 6)
    torchs = passed(layer.to(memory_format=torch.channels_last), x, half=True)
    use_channels_last(layer)
    assert all(torch.equal(a, b) for a, b in zip(torchs, passed(layer, x, half=True))) and not every_layer


@pytest.mark.parametrize('name', ['reflected', 'plain', 'no border', 'a column'])
def test_few_output_channels_go_row_by_row(name, monkeypatch):
    """Where there are many rows of weights, and the step is one; up to half precision, as torch's own."""
    torch.manual_seed(0)
    layer = {'reflected': nn.Conv2d(40, 3, 7, padding=3, padding_mode='reflect'), 'plain': nn.Conv2d(32, 2, (5, 3), padding=(2, 1)),
             'no border': nn.Conv2d(32, 4, 3, bias=False), 'a column': nn.Conv2d(32, 1, (9, 1), padding=2)}[name]
    calls, by_rows = [], channels_last._convolved_by_rows
    monkeypatch.setattr(channels_last, '_convolved_by_rows', lambda *given: calls.append(1) or by_rows(*given))
    x = torch.randn(2, layer.in_channels, 12, 9)
    truth, torchs = passed(layer, x), passed(layer, x, half=True)
    use_channels_last(layer)
    ours = passed(layer, x, half=True)
    assert calls
    for true, a, b in zip(truth, torchs, ours, strict=True):
        assert true.shape == b.shape and (b - true).norm() < 2 * (a - true).norm() + 1e-3 * true.norm()
    for other in (nn.Conv2d(31, 3, 7), nn.Conv2d(40, 5, 7), nn.Conv2d(40, 3, 7, stride=2), nn.Conv2d(40, 4, (1, 7))):
        use_channels_last(other)
        passed(other, torch.randn(1, other.in_channels, 9, 9), half=True)
    assert len(calls) == 1


def test_borders_are_made_in_half_precision(monkeypatch):
    layer, made, pad = nn.Conv2d(8, 8, 3, padding=1, padding_mode='reflect'), [], nn.functional.pad
    use_channels_last(layer)
    monkeypatch.setattr(nn.functional, 'pad', lambda x, *given: made.append(pad(x, *given)) or made[-1])
    with torch.autocast('cpu', torch.bfloat16):
        layer(as_channels_last(torch.randn(1, 8, 40, 40)))
    assert [x.dtype for x in made] == [torch.bfloat16]


@pytest.mark.parametrize('given', [
    dict(padding=1, output_padding=1), dict(output_padding=1), dict(bias=False), dict(padding=(1, 0))])
def test_transposed_convolutions_that_are_no_products(given):
    torch.manual_seed(0)
    layer, x = nn.ConvTranspose2d(12, 20, 3, 2, **given), torch.randn(2, 12, 6, 5)
    truth, torchs = passed(layer, x), passed(layer, x, half=True)
    use_channels_last(layer)
    for true, a, b in zip(truth, torchs, passed(layer, x, half=True), strict=True):
        assert true.shape == b.shape and (b - true).norm() < 1.6 * (a - true).norm() + 1e-3 * true.norm()


def test_a_size_that_was_asked_for_is_given():
    layer, x = nn.ConvTranspose2d(8, 8, 3, 2), torch.randn(1, 8, 4, 4)
    use_channels_last(layer)
    for half in (False, True):
        with torch.autocast('cpu', torch.bfloat16, enabled=half):
            assert layer(x, [10, 9]).shape == (1, 8, 10, 9)


def test_where_products_are_used(every_layer, monkeypatch):
    """In half precision, for maps that are small; a network that was not converted never."""
    layer, small, large = nn.Conv2d(8, 8, 3, padding=1), torch.randn(1, 8, 8, 16), torch.randn(1, 8, 8, 17)
    with torch.autocast('cpu', torch.bfloat16):
        layer(small)
        assert not every_layer
        use_channels_last(layer)
        layer(large), nn.ConvTranspose2d(8, 8, 3)(small)
        assert not every_layer
        layer(small)
        assert len(every_layer) == 1
    layer(small)
    assert len(every_layer) == 1
    layer.to(torch.bfloat16)(small.bfloat16())
    assert len(every_layer) == 2
    monkeypatch.setattr(channels_last, 'LEAST_WEIGHTS', 8 * 8 * 9 + 1)
    layer(small.bfloat16())
    assert len(every_layer) == 2


def test_what_torch_refuses_is_refused_in_its_words(every_layer):
    wrong = (1, 7, 5, 5)
    for layer, size in ((nn.Conv2d(8, 8, 5), (1, 8, 4, 6)), (nn.Conv2d(8, 8, 3), wrong), (nn.ConvTranspose2d(8, 8, 3), wrong)):
        said = []
        for converted in (False, True):
            use_channels_last(layer) if converted else layer.to(memory_format=torch.channels_last)
            with pytest.raises(RuntimeError) as error, torch.autocast('cpu', torch.bfloat16):
                layer(torch.randn(size))
            said.append(str(error.value))
        assert said[0] == said[1]
    assert nn.ConvTranspose2d(8, 8, 3)(torch.randn(0, 8, 5, 5)).shape == layer(torch.randn(0, 8, 5, 5)).shape


def test_a_weight_is_cast_once_in_a_step_and_anew_in_the_next(every_layer):
    layer, x = nn.Conv2d(8, 8, 3), torch.randn(1, 8, 5, 5)
    use_channels_last(layer)
    casts, to = [], torch.Tensor.to
    with pytest.MonkeyPatch.context() as patch, torch.autocast('cpu', torch.bfloat16):
        patch.setattr(torch.Tensor, 'to', lambda self, *given, **named: (
            casts.append(1) if self is layer.weight else None) or to(self, *given, **named))
        with shared_casts():
            first, second = layer(x), layer(x)
        assert len(casts) == 1 and torch.equal(first, second)
        with torch.no_grad():
            layer.weight.data.mul_(2)
        with shared_casts():
            changed = layer(x)
        assert len(casts) == 2 and not torch.equal(first, changed)
        layer(x), layer(x)
        assert len(casts) == 4


@pytest.mark.parametrize('affine', [False, True])
@pytest.mark.parametrize('batch', [1, 3])
def test_norms_keep_the_order_and_the_numbers(affine, batch):
    torch.manual_seed(0)
    layer, x = nn.InstanceNorm2d(6, eps=1e-3, affine=affine), 3 * torch.randn(batch, 6, 5, 4) + 1
    truth = passed(layer.double(), x.double())
    layer.float()
    use_channels_last(layer)
    for true, ours in zip(truth, passed(layer, x), strict=True):
        torch.testing.assert_close(true, ours, rtol=1e-4, atol=1e-4)
    for part in (x, x.bfloat16()):
        made = layer(as_channels_last(part))
        assert is_channels_last(made) and made.dtype is part.dtype
    assert layer(x).is_contiguous() and not layer.state_dict().keys() - {'weight', 'bias'}


@pytest.mark.parametrize('kind, torchs, options', [
    (Adam, torch.optim.Adam, {}), (Adam, torch.optim.Adam, dict(amsgrad=True)), (AdamW, torch.optim.AdamW, {}),
    (AdamW, torch.optim.AdamW, dict(amsgrad=True)), (SGD, torch.optim.SGD, {}), (SGD, torch.optim.SGD, dict(momentum=0.9))])
@pytest.mark.parametrize('last', [True, False])
def test_fused_updates_in_any_order(kind, torchs, options, last):
    """The same as others, also where a gradient came in another order than its weight; states keep the order of the weights."""
    torch.manual_seed(0)
    weights = [torch.randn(8, 6, 3, 3), torch.randn(5)]
    ours, theirs = ([nn.Parameter(as_channels_last(w) if w.dim() == 4 and swap else w.clone()) for w in weights] for swap in (last, 0))
    a = kind(ours, 0.01, weight_decay=0.1, fused=True, **options)
    b = torchs(theirs, 0.01, weight_decay=0.1, **options)
    for step in range(3):
        for p, q in zip(ours, theirs):
            q.grad = torch.randn_like(q)
            other = q.grad.clone() if last or q.dim() < 4 else as_channels_last(q.grad)
            p.grad = other if step == 1 else torch.empty_like(p).copy_(q.grad)
        a.step(), b.step()
    for p, q in zip(ours, theirs):
        torch.testing.assert_close(p, q)
        assert all(value.stride() == p.stride() for value in a.state[p].values() if getattr(value, 'shape', None) == p.shape)
    assert is_channels_last(ours[0]) is last and kind.__name__ == torchs.__name__
