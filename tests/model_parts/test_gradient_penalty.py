"""The penalty on a discriminator's gradient: its value for a known network, when it is due, and within the method."""

import pytest
import torch
from torch import nn

from tests.helpers import adams
from tests.models import cycle_gan_parts
from tests.models.test_video_pix2pixhd import batch_of, build
from toolkit.model_parts.gradient_penalty import R1Penalty
from toolkit.registry import MODELS
from toolkit.structures import InputError


class Weighs(nn.Module):
    """Two scales: scores that are a weighted sum of the channels at each pixel, and three times that."""

    def __init__(self, weights):
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights)[:, None, None])

    def forward(self, x):
        scores = (x * self.weights).sum(1, keepdim=True)
        return [[x, scores], [3 * scores]]


def test_of_scores_that_are_linear_it_is_the_square_of_the_weights():
    network, pixels = Weighs([5.0, 1.0, -2.0]), 6 * 4
    penalty = R1Penalty(weight=1.5, every=4)(network, torch.rand(2, 3, 6, 4), slice(1, None))
    truth = 4 * 1.5 / 2 * pixels * ((4 * network.weights[1:]) / pixels).square().sum()
    torch.testing.assert_close(penalty, truth)
    penalty.backward()
    assert network.weights.grad[0] == 0 and (network.weights.grad[1:] != 0).all(), 'conditions are not pictures'


def test_it_is_computed_every_so_many_iterations_and_smooths_the_discriminator():
    def gradient(weight):
        model = build(**(dict(r1=dict(weight=weight, every=2)) if weight else {}))
        logs, wrappers = [], adams(model)
        for iteration in range(8):
            model.set_train_state(0, 0, iteration, 8)
            logs.append(model.train_step(batch_of(model), wrappers))
        assert ['d/r1' in log for log in logs] == [bool(weight) and i % 2 == 0 for i in range(8)]
        seen = torch.rand(1, 14, 64, 48, generator=torch.Generator().manual_seed(3))
        return R1Penalty(1, 1)(model.net_d, seen, slice(-6, None)).item()

    assert gradient(1e4) < .5 * gradient(None)


def test_of_a_cycle_gan_it_is_that_of_every_discriminator_at_real_pictures():
    """Frames, three frames together, and heads, beside whose picture there are spots that are no picture."""
    adversarial = dict(temporal=dict(type='GANLoss', weight=1.0), face=dict(type='GANLoss', weight=0.5))
    model = cycle_gan_parts.build(adversarial, window=3, pool_size=0, r1=dict(weight=3.0, every=2), face_crops=dict(size=16))
    data, frames = cycle_gan_parts.batch_of(2, frames=3), {}
    for person, batch in data.items():
        batch['poses'] = torch.rand(2, 3, 18, 3, generator=torch.Generator().manual_seed(7)) * 12 + 6
        frames[person] = batch['frames'].float() / 127.5 - 1
    expected = {}
    for person, real in frames.items():
        flat = real.flatten(0, 1)
        crops = model.head_crops(flat, data[person]['poses'].flatten(0, 1))
        seen = dict({'': flat}, _time=real.flatten(1, 2), _face=crops)
        for suffix, x in seen.items():
            x = x.clone().requires_grad_()
            scores = getattr(model, f'net_d_{person}{suffix}')(x)[0][-1]
            pixels = torch.autograd.grad(scores.mean((1, 2, 3)).sum(), x)[0][:, :3 if suffix == '_face' else None]
            expected[f'd/{person}{suffix}_r1'] = 2 * 3.0 / 2 * pixels.square().sum() / len(x)
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    logs, wrappers = [], cycle_gan_parts.optimizers(model)
    for iteration in range(2):
        model.set_train_state(0, 0, iteration, 2)
        logs.append(model.train_step(data, wrappers))
    assert {name for name in logs[0] if name.endswith('r1')} == set(expected) and not any(name.endswith('r1') for name in logs[1])
    for name, value in expected.items():
        assert value > 0
        torch.testing.assert_close(logs[0][name], value, msg=name)
    assert all((before[name] != parameter).any() for name, parameter in model.named_parameters() if name.endswith('weight'))


def test_of_a_cycle_gan_it_teaches_the_discriminators_alone():
    def after(**options):
        model = cycle_gan_parts.build(pool_size=0, **options)
        model.train_step(cycle_gan_parts.batch_of(), cycle_gan_parts.optimizers(model))
        return dict(model.named_parameters())

    plain, smooth = after(), after(r1=dict(weight=1e3))
    changed = {name.split('.')[0] for name, parameter in plain.items() if not torch.equal(parameter, smooth[name])}
    assert changed == {'net_d_a', 'net_d_b'}


@pytest.mark.parametrize('options', [dict(weight=0), dict(weight=-1), dict(every=0)])
def test_values_that_cannot_be(options):
    with pytest.raises(InputError, match='model.r1: weight='):
        R1Penalty(**options)


def test_a_penalty_of_a_discriminator_that_does_not_learn_is_refused():
    with pytest.raises(InputError, match="no loss of='gan' trains one"):
        MODELS.build(dict(type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=1, n_blocks=1),
                          discriminator=dict(type='MultiscaleDiscriminator', ndf=8, num_scales=1),
                          losses=dict(l1=dict(type='L1Loss')), r1=dict()))
