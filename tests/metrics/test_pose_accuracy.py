import numpy as np
import pytest

from toolkit.metrics.pose_accuracy import PoseAccuracy
from toolkit.skeletons import L_HIP, NOSE, R_SHOULDER, R_WRIST


@pytest.fixture
def sample(make_sample):
    sample = make_sample(frames=2, height=400, width=300)
    sample['poses'][..., 0], sample['poses'][..., 1] = 150, np.linspace(20, 380, 18)
    sample['poses'][:, R_SHOULDER, :2], sample['poses'][:, L_HIP, :2] = (100, 100), (160, 180)  # 100 px apart
    sample['scored'][:] = True
    return dict(sample, detected=sample['poses'].copy())


def values(sample):
    return {key: measure['value'] for key, measure in PoseAccuracy().measure(sample)['measures'].items()}


def test_shares_of_joints_within_the_radius(sample):
    assert values(sample) == {'limbs@0.1': 1, 'all@0.1': 1, 'limbs@0.2': 1, 'all@0.2': 1}
    sample['detected'][0, R_WRIST, 0] += 15
    sample['detected'][1, NOSE, 0] += 25
    assert values(sample) == pytest.approx({'limbs@0.1': 23 / 24, 'all@0.1': 34 / 36, 'limbs@0.2': 1, 'all@0.2': 35 / 36})


def test_models_that_find_no_joints_have_none(sample):
    del sample['detected']
    measures = PoseAccuracy().measure(sample)['measures']
    assert measures['all@0.1']['value'] is None and 'does not say' in measures['all@0.1']['reason']
