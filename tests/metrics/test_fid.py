"""FID: the distance against scipy's formula, sets instead of clips, directions, and what is said without weights."""

import json
import sys

import numpy as np
import pytest
import scipy.linalg

from toolkit.metrics.fid import FEATURES, FID, InceptionFeatures, frechet_distance, frechet_distance_of
from toolkit.structures import InputError, MissingWeightsError


def colors(frames):
    """Three features: the mean color."""
    return frames.reshape(len(frames), -1, 3).mean(1)


def with_matrix_root(mean_a, a, mean_b, b):
    """The formula as it is written."""
    return np.square(mean_a - mean_b).sum() + np.trace(a + b - 2 * np.real(scipy.linalg.sqrtm(a @ b)))


@pytest.mark.parametrize('seed', range(3))
def test_distance_is_that_of_the_formula(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(60, 7)) @ rng.normal(size=(7, 7)), rng.normal(1, 2, (50, 7))
    expected = with_matrix_root(a.mean(0), np.cov(a.T), b.mean(0), np.cov(b.T))
    assert frechet_distance_of(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance_of(b, a) == pytest.approx(expected, rel=1e-9)


def test_known_distances():
    one, four = np.eye(5), 4 * np.eye(5)
    assert frechet_distance(np.zeros(5), one, np.full(5, 3.0), one) == pytest.approx(45)
    assert frechet_distance(np.zeros(5), one, np.zeros(5), four) == pytest.approx(5)
    few = np.random.default_rng(0).normal(size=(6, 40))
    assert frechet_distance_of(few, few) == pytest.approx(0, abs=1e-4)  # singular covariances


def transfer(generated, direction, clip):
    poses, mask = np.zeros((len(generated), 18, 3), np.float32), np.ones(generated.shape[:3], bool)
    return {'clip': f'{clip}_{direction}', 'direction': direction, 'generated': generated, 'real': generated, 'mask': mask,
            'poses': poses, 'scored': np.ones(len(generated), bool), 'has_truth': False,
            'input': dict(frames=generated, mask=mask, poses=poses)}


def pictures(seed, count=12, low=0):
    return np.random.default_rng(seed).integers(low, 256, (count, 8, 8, 3)).astype(np.uint8)


def fitted():
    metric = FID(features=colors)
    metric.fit({name: [(frame, None) for frame in pictures(i, 20, 60 * i)] for i, name in enumerate('ab')})
    return metric


def test_all_frames_of_a_direction_are_one_set():
    metric, clips = fitted(), [pictures(5), pictures(6, 9)]
    rows = [json.loads(json.dumps(metric.measure(transfer(frames, 'ab', i)))) for i, frames in enumerate(clips)]
    summary = metric.summarize(rows)['fid/full']
    expected = frechet_distance_of(colors(np.concatenate(clips)), colors(pictures(1, 20, 60)))
    assert summary.value == pytest.approx(expected, rel=1e-4) and summary.ci is None
    assert (summary.n_clips, summary.n_frames) == (2, 21) and summary.reason == ''


def test_each_direction_has_its_target_and_both_give_the_mean():
    metric = fitted()
    rows = {d: metric.measure(transfer(pictures(7), d, 'clip')) for d in ('ab', 'ba')}
    single = {d: metric.summarize([row])['fid/full'].value for d, row in rows.items()}
    assert single['ba'] < single['ab']  # the pictures are like those of A
    assert metric.summarize(list(rows.values()))['fid/full'].value == pytest.approx(sum(single.values()) / 2)


def test_training_frames_themselves_have_none():
    metric = fitted()
    row = metric.measure(transfer(pictures(1, 20, 60), 'ab', 'clip'))
    assert metric.summarize([row])['fid/full'].value == pytest.approx(0, abs=1e-3)


def test_without_weights_or_training_frames_it_is_not_available(monkeypatch, tmp_path, make_sample):
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path))
    monkeypatch.setattr('toolkit.metrics.fid.find_weights', lambda *names: (_ for _ in ()).throw(MissingWeightsError(names[0])))
    metric = FID()
    metric.fit({'a': [], 'b': []})
    summary = metric.summarize([metric.measure(transfer(pictures(0), 'ab', 'clip'))])['fid/full']
    assert summary.value is None and 'weights-inception' in summary.reason
    unseen = FID(features=colors)
    assert 'training frames' in unseen.summarize([unseen.measure(transfer(pictures(0), 'ab', 'clip'))])['fid/full'].reason
    assert fitted().summarize([fitted().measure(make_sample())])['fid/full'].value is None


def test_fewer_than_two_frames_are_said_to_be_too_few():
    """A distribution of one frame has no covariance; that a single clip has no FID is not why."""
    metric, few = fitted(), 'fewer than two scored frames of a direction, or fewer than two training frames of its target'
    single = metric.summarize([metric.measure(transfer(pictures(5, 1), 'ab', 'clip'))])['fid/full']
    assert (single.value, single.reason) == (None, few)
    metric.domains['b'] = metric.domains['b'][:1]
    untrained = metric.summarize([metric.measure(transfer(pictures(5), 'ab', 'clip'))])['fid/full']
    assert (untrained.value, untrained.reason) == (None, few)


def test_of_each_person_two_frames_are_needed():
    with pytest.raises(InputError, match='FID: frames must be at least 2, got 0'):
        FID(features=colors, frames=0)


def test_without_the_library_its_name_is_said(monkeypatch, tmp_path):
    (tmp_path / 'pt_inception-2015-12-05-6726825d.pth').write_bytes(b'')
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path))
    for name in ('torch_fidelity', 'torch_fidelity.feature_extractor_inceptionv3'):
        monkeypatch.setitem(sys.modules, name, None)
    assert 'torch-fidelity' in FID().missing


def test_the_published_network_has_2048_features(tmp_path):
    """With random weights: the library's network takes ours, and pictures of any size."""
    library = pytest.importorskip('torch_fidelity.feature_extractor_inceptionv3')
    torch = pytest.importorskip('torch')
    built = library.FeatureExtractorInceptionV3.__new__(library.FeatureExtractorInceptionV3)
    saved = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, 'load', lambda *_, **__: saved)
        patch.setattr(library.FeatureExtractorInceptionV3, 'load_state_dict', lambda self, state, *_: None)
        built.__init__('inception-v3-compat', ['2048'], feature_extractor_weights_path='none')
    torch.save(built.state_dict(), tmp_path / 'weights.pth')
    assert InceptionFeatures(tmp_path / 'weights.pth', torch.device('cpu'))(pictures(0, 2)).shape == (2, FEATURES)
