"""Real feature maps for some samples in the first iterations, estimated ones afterwards."""

import math

import pytest
import torch

from toolkit.model_parts.feature_curriculum import FeatureCurriculum
from toolkit.structures import InputError

ESTIMATED, REAL = torch.zeros(4, 2, 1, 1, 1), torch.ones(4, 2, 1, 1, 1)


def chosen(curriculum, iteration, noise):
    mixed = curriculum.mix(ESTIMATED, REAL, iteration, torch.tensor(noise))
    assert torch.equal(mixed[:, 0], mixed[:, 1]), 'the frames of a window are of one kind'
    return mixed[:, 0].flatten().tolist()


def test_each_sample_decides_by_its_own_noise():
    assert chosen(FeatureCurriculum(0.5, 10), 0, [-1.0, 1.0, -0.01, 0.01]) == [1, 0, 1, 0]
    quartile = -0.6744898
    assert chosen(FeatureCurriculum(0.25, 10), 0, [quartile - 0.01, quartile + 0.01, 0.0, -3.0]) == [1, 0, 0, 1]


@pytest.mark.parametrize('iteration, expected', [(0, 1), (9, 1), (10, 0), (11, 0)])
def test_it_ends_on_time(iteration, expected):
    assert chosen(FeatureCurriculum(0.5, 10), iteration, [-1.0] * 4) == [expected] * 4


def test_never_and_always():
    assert chosen(FeatureCurriculum(0.0, 10), 0, [-3.0, -1.0, 1.0, 3.0]) == [0] * 4
    assert chosen(FeatureCurriculum(1.0, 10), 0, [-3.0, -1.0, 1.0, 3.0]) == [1] * 4


def test_share_of_real_maps():
    noise = torch.randn(4000, generator=torch.Generator().manual_seed(0))
    mixed = FeatureCurriculum(0.3, 1).mix(torch.zeros(4000, 1, 1, 1, 1), torch.ones(4000, 1, 1, 1, 1), 0, noise)
    assert abs(mixed.mean().item() - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 4000)


@pytest.mark.parametrize('options', [dict(probability=1.5), dict(probability=-0.1), dict(iterations=-1)])
def test_impossible_numbers(options):
    with pytest.raises(InputError, match='curriculum'):
        FeatureCurriculum(**options)
