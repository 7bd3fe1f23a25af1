"""The penalty on a discriminator's gradient: its value for a known network, when it is due, and within the method."""

import pytest
import torch
from torch import nn

from tests.helpers import adams
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
    penalty = R1Penalty(weight=1.5, every=4)(network, torch.rand(2, 3, 6, 4), 2)
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
        return R1Penalty(1, 1)(model.net_d, torch.rand(1, 14, 64, 48, generator=torch.Generator().manual_seed(3)), 6).item()

    assert gradient(1e4) < .5 * gradient(None)


@pytest.mark.parametrize('options', [dict(weight=0), dict(weight=-1), dict(every=0)])
def test_values_that_cannot_be(options):
    with pytest.raises(InputError, match='model.r1: weight='):
        R1Penalty(**options)


def test_a_penalty_of_a_discriminator_that_does_not_learn_is_refused():
    with pytest.raises(InputError, match="no loss of='gan' trains one"):
        MODELS.build(dict(type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=1, n_blocks=1),
                          discriminator=dict(type='MultiscaleDiscriminator', ndf=8, num_scales=1),
                          losses=dict(l1=dict(type='L1Loss')), r1=dict()))
