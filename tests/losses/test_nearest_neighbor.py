"""The nearest-neighbor loss: against the formula spelled out, what it forgives, and its networks."""

import pytest
import torch

from toolkit.losses.nearest_neighbor import CAFFE, NearestNeighborLoss
from toolkit.structures import InputError


def spelled_out(fake, real, size):
    """The formula, pixel by pixel."""
    fake, real, reach = 127.5 * (fake + 1), 127.5 * (real + 1), size // 2
    _, _, height, width = fake.shape
    total = []
    for picture, other in zip(fake, real):
        for y in range(height):
            for x in range(width):
                around = other[:, max(0, y - reach):y + reach + 1, max(0, x - reach):x + reach + 1]
                total.append((around - picture[:, y, x, None, None]).abs().sum(0).min())
    return torch.stack(total).mean()


@pytest.mark.parametrize('size', [1, 3, 5])
def test_it_is_the_formula_and_so_is_its_gradient(size):
    torch.manual_seed(0)
    fake, real = torch.rand(2, 3, 6, 5, requires_grad=True), torch.rand(2, 3, 6, 5)
    loss = NearestNeighborLoss('pixels', size)(fake, real)
    torch.testing.assert_close(loss, spelled_out(fake, real, size))
    got, = torch.autograd.grad(loss, fake, retain_graph=True)
    wanted, = torch.autograd.grad(spelled_out(fake, real, size), fake)
    torch.testing.assert_close(got, wanted)


def test_a_shift_within_the_neighborhood_costs_nothing_inside():
    picture = torch.rand(1, 3, 16, 16)
    moved = torch.roll(picture, (1, 2), (2, 3))
    inside = (slice(None), slice(None), slice(4, 12), slice(4, 12))
    assert NearestNeighborLoss('pixels', 5)(moved, picture) < NearestNeighborLoss('pixels', 1)(moved, picture) / 5
    assert NearestNeighborLoss('pixels', 1)(picture[inside], picture[inside]) == 0


def test_networks(shared_weights):
    loss = NearestNeighborLoss('squeezenet1_1', 3)
    fake, real = torch.rand(1, 3, 32, 32, requires_grad=True), torch.rand(1, 3, 32, 32)
    loss(fake, real).backward()
    assert fake.grad.abs().sum() > 0 and not list(loss.parameters())
    assert NearestNeighborLoss('auto').backbone_name in ('vgg19', 'squeezenet1_1')
    assert NearestNeighborLoss('off')(fake, real) == 0 and CAFFE == pytest.approx(57.63)


@pytest.mark.parametrize('options, words', [
    (dict(network='resnet'), 'network='), (dict(size=4), 'odd'),
    (dict(weights='no.pth'), "weights='no.pth' belongs to one network: name it, network='auto'"),
    (dict(network='pixels', weights='no.pth'), "weights='no.pth' .* network='pixels'")])
def test_options_that_cannot_be(options, words):
    with pytest.raises(InputError, match=words):
        NearestNeighborLoss(**options)
    NearestNeighborLoss('off', weights='no.pth')  # as models that only generate are built
