import json

import numpy as np
import pytest
import torch
from mmengine.evaluator import Evaluator

from toolkit.files import write_json
from toolkit.metrics.base import ClipMetric, Definition, Measure, check_sample, compared_with, with_scored
from toolkit.metrics.report import to_json
from toolkit.registry import METRICS
from toolkit.structures import InputError


class Mean(ClipMetric):
    """Mean level of the generated frames; n/a for black clips."""

    default_prefix = 'mean'

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.definitions = {'level': Definition('mean level', 'higher')}

    def update(self, state, sample):
        state.setdefault('means', []).extend(frame.mean() for frame in sample['generated'][sample['scored']])

    def compute(self, state):
        if not any(state['means']):
            return {'level': Measure(None, reason='black')}
        return {'level': Measure(float(np.mean(state['means'])), len(state['means']))}


class Given(ClipMetric):
    """Gives what it was told to."""

    default_prefix = 'given'

    def __init__(self, measures):
        super().__init__()
        self.measures, self.definitions = measures, {'a': Definition('one number', 'higher'), 'b': Definition('another', '')}

    def update(self, state, sample):
        pass

    def compute(self, state):
        return self.measures


def rows(metric, make_sample, levels):
    out = []
    for i, level in enumerate(levels):
        sample = make_sample(frames=3 + i, clip=f'clip{i}')
        sample['generated'][:] = level
        out.append(metric.measure(sample))
    return out


def test_mean_over_clips_not_over_frames(make_sample):
    summary = Mean().summarize(rows(Mean(), make_sample, [10, 40]))['mean/level']
    assert summary.value == 25  # weighted by frames it would be 28
    assert (summary.n_clips, summary.n_frames, summary.n_samples) == (2, 2 + 3, 5)
    assert summary.per_clip == {'clip0': 10.0, 'clip1': 40.0}
    assert 10 <= summary.ci[0] <= 25 <= summary.ci[1] <= 40


def test_content_frame_is_not_scored(make_sample):
    sample = make_sample(frames=3)
    sample['generated'][:] = 7
    sample['generated'][0] = 255
    assert Mean().measure(sample)['measures']['level'] == {'value': 7.0, 'frames': 2, 'samples': None, 'reason': ''}


def test_content_frame_is_found_by_its_number(make_sample):
    sample = make_sample(frames=4)
    del sample['scored']

    def scored(first, content):
        return with_scored(sample, {'index': torch.tensor([first]), 'content_index': torch.tensor([content])})['scored'].tolist()

    assert scored(0, 0) == [False, True, True, True]
    assert scored(50, 52) == [True, True, False, True]
    assert scored(50, 0) == [True] * 4  # the content frame lies outside the stretch
    assert with_scored(make_sample(), None)['scored'].sum() == 3
    with pytest.raises(ValueError, match='content frame is not known'):
        with_scored(sample, None)


def test_process_takes_the_content_frame_from_the_batch(make_sample):
    sample = make_sample(frames=3)
    del sample['scored']
    metric = Mean()
    metric.process({'index': torch.tensor([0]), 'content_index': torch.tensor([1])}, [sample])
    assert metric.results[0]['measures']['level']['frames'] == 2


def test_clip_of_the_content_frame_alone_is_not_available(make_sample):
    measure = Mean().measure(make_sample(frames=1))['measures']['level']
    assert measure['value'] is None and 'no frame besides its content frame' in measure['reason']


def test_some_clips_missing(make_sample):
    summary = Mean().summarize(rows(Mean(), make_sample, [0, 40, 60]))['mean/level']
    assert summary.value == 50 and summary.n_clips == 2
    assert summary.reason == 'left out 1 of 3 clips: black'
    assert summary.per_clip['clip0'] is None


def test_all_clips_missing(make_sample):
    metric = Mean()
    summary = metric.summarize(rows(metric, make_sample, [0, 0]))['mean/level']
    assert summary.value is None and summary.ci is None and summary.reason == 'black' and summary.n_clips == 0
    assert metric.compute_metrics(rows(metric, make_sample, [0, 0])) == {}


def test_no_clips():
    assert Mean().summarize([])['mean/level'].reason == 'no clip was measured'


def test_missing_weights_make_everything_not_available(make_sample):
    metric = Mean()
    metric.missing = 'no weights'
    assert metric.measure(make_sample())['measures']['level']['reason'] == 'no weights'


def test_a_clip_measured_twice_counts_once(make_sample):
    twice = rows(Mean(), make_sample, [10]) * 2 + rows(Mean(), make_sample, [10, 30])
    assert Mean().summarize(twice)['mean/level'].n_clips == 2


def test_two_persons_may_each_have_a_clip_of_one_name(make_sample):
    found = [dict(row, clip='walk', group=group) for row, group in zip(rows(Mean(), make_sample, [10, 40]), ('ab', 'ba'))]
    summary = Mean().summarize(found)['mean/level']
    assert (summary.value, summary.n_clips) == (25, 2)
    assert summary.per_clip == {'walk (ab)': 10.0, 'walk (ba)': 40.0}
    assert Mean().summarize(found[1:])['mean/level'].per_clip == dict(walk=40.0)


def test_rows_survive_json(make_sample):
    metric = Mean()
    before = rows(metric, make_sample, [10, 0])
    assert metric.summarize(json.loads(json.dumps(before))) == metric.summarize(before)


def test_inside_mmengines_evaluator(make_sample):
    evaluator = Evaluator([Mean(), METRICS.build({'type': 'PSNR', 'protocols': ['full']})])
    for i in range(3):
        evaluator.process([make_sample(clip=f'clip{i}')])
    metrics = evaluator.evaluate(3)
    assert metrics['psnr/full'] == 100 and metrics['mean/level'] > 0
    assert all(isinstance(v, float) for v in metrics.values())


def test_real_side_is_computed_once_per_clip(make_sample):
    metric, calls = Mean(), []
    first, second = make_sample(clip='a'), make_sample(clip='b')
    for sample in (first, dict(first, generated=first['generated'] // 2), second):
        metric.of_real('x', sample, lambda sample=sample: calls.append(sample['clip']))
    assert calls == ['a', 'b']


@pytest.mark.parametrize('change', ['real', 'mask', 'poses', 'scored', 'person_height'])
def test_real_side_is_computed_again_where_what_it_depends_on_differs(make_sample, change):
    metric, calls = Mean(), []
    first = dict(make_sample(), person_height=20.0)
    other = first[change] * 2 if change == 'person_height' else np.roll(first[change], 1)
    for sample in (first, dict(first, **{change: other})):
        metric.of_real('x', sample, lambda: calls.append(change))
    assert len(calls) == 2


@pytest.mark.parametrize('value', [np.nan, -np.inf, np.float32('nan')])
def test_a_value_that_is_not_finite_is_left_out(make_sample, tmp_path, value):
    """JSON has no NaN: because of one, no result of any clip could be written, and the means were NaN."""
    found = [Given(dict(a=Measure(number, 3), b=Measure(1., 3))).measure(make_sample(clip=name))
             for name, number in (('x', value), ('y', 5.))]
    summary = Given({}).summarize(json.loads(json.dumps(found)))
    assert summary['given/a'].value == 5 and summary['given/a'].per_clip == dict(x=None, y=5.)
    assert summary['given/a'].reason == f'left out 1 of 2 clips: the value is {value}' and summary['given/b'].n_clips == 2
    write_json(tmp_path / 'out.json', to_json(summary))


def test_numbers_of_numpy_and_torch_can_be_kept(make_sample):
    measures = dict(a=Measure(np.float32(.5), np.int64(3), np.int32(9)), b=Measure(torch.tensor(2.), torch.tensor(3)))
    assert json.loads(json.dumps(Given(measures).measure(make_sample())['measures'])) == dict(
        a=dict(value=.5, frames=3, samples=9, reason=''), b=dict(value=2., frames=3, samples=None, reason=''))


@pytest.mark.parametrize('measures, words', [
    (dict(a=Measure(1.)), r'gave a \(Measure\), expected a Measure for each of its definitions: a, b'),
    (dict(a=Measure(1.), b=Measure(1.), c=Measure(1.)), r'c \(Measure\), expected'), (dict(a=1., b=Measure(1.)), r'a \(float\)'),
    (None, 'gave nothing')])
def test_other_measures_than_those_defined_are_told_at_the_first_clip(make_sample, measures, words):
    with pytest.raises(InputError, match=f'clip clip: compute of Given .*{words}'):
        Given(measures).measure(make_sample())


@pytest.mark.parametrize('text, better', [('', 'higher'), (' ', 'higher'), ('a number', 'max'), ('a number', None)])
def test_a_definition_that_no_table_could_show(text, better):
    with pytest.raises(ValueError, match="needs a text, and better must be one of 'higher', 'lower', 'one', ''; got"):
        Definition(text, better)


def test_a_measure_without_value_needs_a_reason():
    with pytest.raises(ValueError, match='reason'):
        Measure(None)


def test_refuses_float_pictures(make_sample):
    sample = make_sample()
    sample['generated'] = sample['generated'] / 255
    with pytest.raises(TypeError, match='clip clip: generated must be a uint8 array, got float64'):
        check_sample(sample)


@pytest.mark.parametrize('key, value', [
    ('generated', np.zeros((4, 48, 41, 3), np.uint8)), ('mask', np.zeros((3, 48, 40), bool)), ('scored', np.ones(3, bool)),
    ('poses', np.zeros((5, 18, 3)))])
def test_refuses_shapes_that_do_not_fit(make_sample, key, value):
    with pytest.raises(ValueError, match=key):
        check_sample({**make_sample(), key: value})


@pytest.mark.parametrize('key, value', [('scored', np.array([0, 1, 1, 1])), ('mask', np.full((4, 48, 40), 255, np.uint8))])
def test_refuses_masks_of_numbers(make_sample, key, value):
    """Frames [0, 1, 1, 1] are the first one, and three times the second."""
    with pytest.raises(TypeError, match=f'clip clip: {key} must be bool'):
        check_sample({**make_sample(), key: value})


def test_without_the_truth_nothing_is_compared_with_it(make_sample):
    class Compared(Mean):
        needs_truth = True

    sample = dict(make_sample(), direction='ba', has_truth=False)
    row = Compared().measure(sample)
    assert row['measures']['level']['value'] is None and 'no truth' in row['measures']['level']['reason'] and row['group'] == 'ba'
    assert Compared().measure(dict(sample, has_truth=True))['measures']['level']['value'] is not None
    assert Compared().measure(make_sample())['measures']['level']['value'] is not None
    assert Mean().measure(sample)['measures']['level']['value'] is not None


def test_the_input_takes_the_place_of_the_truth(make_sample):
    sample, given = make_sample(), make_sample(seed=1)
    transfer = dict(sample, input=dict(frames=given['real'], mask=given['mask'], poses=given['poses']))
    seen = compared_with(transfer, 'input')
    assert seen['real'] is given['real'] and seen['mask'] is given['mask'] and seen['poses'] is given['poses']
    assert seen['generated'] is sample['generated']
    assert compared_with(transfer, 'real') is transfer and compared_with(sample, 'input') is sample
