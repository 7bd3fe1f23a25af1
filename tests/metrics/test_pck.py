import re

import numpy as np
import pytest
import torch

from toolkit.metrics.pck import PCK, box_size, correct_keypoints, detect, detection_size, torso_diagonal
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import L_HIP, LIMB_JOINTS, NOSE, R_ELBOW, R_SHOULDER
from toolkit.structures import InputError, MissingWeightsError


@POSE_ESTIMATORS.register_module()
class RecordedPoses:
    """Answers with the poses it was given, one clip after the other."""

    name, version = 'recorded', '1'

    def __init__(self, answers):
        self.answers, self.calls = list(answers), []

    def __call__(self, frames):
        self.calls.append(frames.shape)
        return self.answers[(len(self.calls) - 1) % len(self.answers)].copy()


@POSE_ESTIMATORS.register_module()
class WithoutWeights:
    def __init__(self):
        raise MissingWeightsError('weights other.pth not found')


@pytest.fixture
def sample(make_sample):
    sample = make_sample(frames=3, height=600, width=500)
    sample['mask'][:] = False
    sample['mask'][:, 100:500, 100:300] = True
    sample['poses'][..., 0], sample['poses'][..., 1] = 200, np.linspace(120, 480, 18)
    sample['poses'][:, R_SHOULDER, :2], sample['poses'][:, L_HIP, :2] = (150, 200), (210, 280)  # 100 px apart
    return sample


def recorded(*answers):
    return PCK(pose_estimator={'type': 'RecordedPoses', 'answers': answers})


def values(metric, sample):
    return {k: m['value'] for k, m in metric.measure(sample)['measures'].items()}


def test_torso_diagonal(sample):
    sample['poses'][1, L_HIP] = 0
    assert torso_diagonal(sample['poses']) == pytest.approx([100, 0, 100])


def test_box_size(sample):
    sample['mask'][1] = False
    assert box_size(sample['mask']).tolist() == [400, 0, 400]


def test_correct_keypoints_on_both_sides_of_the_radius():
    target = np.ones((1, 4, 3), np.float32) * (50, 50, 1)
    detected = target.copy()
    detected[0, 0, 0] += 9.99
    detected[0, 1, 0] += 10
    detected[0, 2, 2] = 0  # not found, although its coordinates are right
    target[0, 3, 2] = 0  # not asked for
    correct, valid = correct_keypoints(detected, target, np.array([10.0]))
    assert correct.tolist() == [[True, False, False, False]]
    assert valid.tolist() == [[True, True, True, False]]


def test_frames_without_scale_do_not_count():
    pose = np.ones((2, 4, 3), np.float32)
    _, valid = correct_keypoints(pose, pose, np.array([0.0, 1.0]))
    assert valid.tolist() == [[False] * 4, [True] * 4]


def test_exact_fractions(sample):
    """Of 2 x 12 limb joints one is 15 px off (right at 0.2 only) and one is not found; a nose 25 px off counts in 'all' alone."""
    found = sample['poses'].copy()
    found[1, R_ELBOW, 0] += 15
    found[2, R_ELBOW] = 0
    found[2, NOSE, 0] += 25
    got = values(recorded(found, sample['poses']), sample)
    assert got['limbs@0.1'] == pytest.approx(22 / 24)
    assert got['limbs@0.2'] == pytest.approx(23 / 24)
    assert got['all@0.1'] == pytest.approx(33 / 36)
    assert got['all@0.2'] == pytest.approx(34 / 36)
    assert got['all_box@0.05'] == pytest.approx(34 / 36)  # radius 0.05 x 400 = 20 px
    assert got['ceiling_limbs@0.1'] == got['ceiling_all@0.1'] == 1


def test_content_frame_does_not_count(sample):
    found = sample['poses'].copy()
    found[0] = 0
    assert values(recorded(found, found), sample)['limbs@0.1'] == 1
    found = sample['poses'].copy()
    found[1:] = 0
    assert values(recorded(found, found), sample)['limbs@0.1'] == 0


def test_counts_and_estimator_are_reported(sample):
    sample['poses'][1, LIMB_JOINTS[-1]] = 0
    metric = recorded(sample['poses'], sample['poses'])
    summary = metric.summarize([metric.measure(sample)])['pck/limbs@0.1']
    assert (summary.n_frames, summary.n_samples, summary.unit) == (2, 23, 'joints')
    assert 'recorded (1)' in summary.definition


def test_real_frames_are_measured_once_for_several_methods(sample):
    metric = recorded(sample['poses'])
    metric.measure(sample)
    metric.measure(dict(sample, generated=255 - sample['generated']))
    assert len(metric.estimator.calls) == 3


def test_real_frames_are_measured_again_where_the_person_has_another_size(sample):
    metric = recorded(sample['poses'])
    metric.measure(sample)
    metric.measure(dict(sample, mask=sample['mask'] & (np.arange(600) < 200)[:, None]))
    metric.measure(dict(sample, person_height=64.0))
    assert [shape[1] for shape in metric.estimator.calls] == [600, 600, 1280, 1280, 1280, 1280]


def test_no_torso_no_number_but_the_box_has_one(sample):
    sample['poses'][:, L_HIP] = 0
    measures = recorded(sample['poses'])
    got = measures.measure(sample)['measures']
    assert got['limbs@0.1']['value'] is None and 'left hip' in got['limbs@0.1']['reason']
    assert got['all_box@0.05']['value'] == 1


def test_small_person_is_enlarged_and_joints_come_back(make_sample):
    sample = make_sample(frames=2, height=128, width=96)
    sample['mask'][:] = False
    sample['mask'][:, 32:96, 30:60] = True
    assert detection_size(sample['real'], sample['mask']) == (512, 384)
    answer = np.zeros((2, 18, 3), np.float32)
    answer[:, 0] = 4 * 10 + 1.5, 4 * 20 + 1.5, 1  # the middle of the four pixels that x = 10, y = 20 became
    estimator = RecordedPoses([answer])
    poses = detect(estimator, sample['real'], sample['mask'])
    assert estimator.calls == [(2, 512, 384, 3)]
    assert poses[0, 0] == pytest.approx([10, 20, 1]) and not poses[:, 1:].any()


def test_large_person_and_large_frames_stay(make_sample):
    sample = make_sample(frames=2, height=400, width=300)
    sample['mask'][:, 50:350] = True
    assert detection_size(sample['real'], sample['mask']) == (400, 300)
    wide = np.zeros((1, 700, 1280, 3), np.uint8)
    assert detection_size(wide, np.pad(np.ones((1, 20, 20), bool), ((0, 0), (0, 680), (0, 1260)))) == (700, 1280)


def test_first_estimator_that_can_be_had(sample):
    there = {'type': 'RecordedPoses', 'answers': [sample['poses']]}
    metric = PCK(estimators=['NotInstalled', {'type': 'WithoutWeights'}, there])
    assert metric.estimator.name == 'recorded' and values(metric, sample)['limbs@0.1'] == 1


def test_no_estimator_gives_the_reasons(sample):
    metric = PCK(estimators=[{'type': 'NotInstalled'}, {'type': 'WithoutWeights'}])
    summary = metric.summarize([metric.measure(sample)])['pck/limbs@0.1']
    assert summary.value is None
    assert "unknown pose estimator 'NotInstalled'" in summary.reason and 'other.pth not found' in summary.reason


@POSE_ESTIMATORS.register_module()
class GuidedPoses(RecordedPoses):
    """Looks where it is told to."""

    def __call__(self, frames, masks):
        self.masks = masks
        return super().__call__(frames)


def test_an_estimator_that_needs_a_place_is_told_where_the_person_is(make_sample):
    sample = make_sample(frames=2, height=128, width=96)
    sample['mask'][:] = False
    sample['mask'][:, 32:96, 30:60] = True
    estimator = GuidedPoses([np.zeros((2, 18, 3), np.float32)])
    detect(estimator, sample['real'], sample['mask'])
    assert estimator.masks.shape == (2, 512, 384) and estimator.masks[:, 128:384, 120:240].all()
    assert estimator.masks.sum() == 2 * 256 * 120


def test_frames_are_enlarged_with_their_masks_where_the_height_stays():
    frames, mask = np.zeros((1, 300, 1279, 3), np.uint8), np.zeros((1, 300, 1279), bool)
    mask[:, :20, :20] = True
    estimator = GuidedPoses([np.zeros((1, 18, 3), np.float32)])
    detect(estimator, frames, mask)
    assert estimator.calls == [(1, 300, 1280, 3)] and estimator.masks.shape == (1, 300, 1280)


def test_who_the_model_was_trained_against_may_not_measure_it(sample):
    there = {'type': 'RecordedPoses', 'answers': [sample['poses']]}
    with pytest.raises(InputError, match='RecordedPoses may not measure this model'):
        PCK(pose_estimator=there, trained_against=['RecordedPoses'])
    assert PCK(pose_estimator=there, trained_against=['OpenPoseMobile']).estimator.name == 'recorded'
    other = PCK(estimators=[there, {'type': 'GuidedPoses', 'answers': []}], trained_against=['RecordedPoses'])
    assert type(other.estimator) is GuidedPoses
    nobody = PCK(estimators=[there], trained_against=['recorded'])
    assert nobody.estimator is None and 'RecordedPoses may not measure this model' in nobody.missing


def test_a_transfer_is_compared_with_its_input(sample):
    """The true result stands elsewhere than the input; who copies the input is right about the input."""
    truth, given = sample['poses'] + np.float32([40, 0, 0]), sample['poses']
    transfer = dict(sample, poses=truth, input=dict(frames=sample['real'], mask=sample['mask'], poses=given))
    metric = PCK(pose_estimator={'type': 'RecordedPoses', 'answers': [given]}, against='input')
    assert values(metric, transfer)['limbs@0.1'] == values(metric, transfer)['ceiling_limbs@0.1'] == 1
    assert "the input's pose" in metric.definitions['limbs@0.1'].text
    assert values(recorded(given), transfer)['limbs@0.1'] == 0
    with pytest.raises(InputError, match='against'):
        PCK(against='truth')


def test_another_network_of_the_same_name_is_another_definition():
    """A network that was trained again has the version that it had, and its numbers do not compare with the old ones."""
    @POSE_ESTIMATORS.register_module(force=True)
    class Retrained(torch.nn.Module):
        name, version = 'retrained', '1'

        def __init__(self, value):
            super().__init__()
            self.register_buffer('weight', torch.tensor(value))

    told = [{key: definition.text for key, definition in PCK(pose_estimator=dict(type='Retrained', value=value)).definitions.items()}
            for value in (1.0, 1.0, 2.0)]
    assert told[0] == told[1] and all(told[0][key] != told[2][key] for key in told[0])
    assert re.search(r'by retrained \(1, [0-9a-f]{8}\)', told[0]['limbs@0.1'])
