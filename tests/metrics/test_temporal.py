from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from toolkit.metrics.temporal import Temporal, flicker, optical_flow, temporal_difference, warp_error
from toolkit.structures import MissingWeightsError


@pytest.fixture
def without_lpips(monkeypatch):
    def missing(*args):
        raise MissingWeightsError('no backbone')
    monkeypatch.setattr('toolkit.metrics.temporal.LPIPSNetwork', missing)


def values(sample):
    return {k: m['value'] for k, m in Temporal().measure(sample)['measures'].items()}


def test_td_by_hand():
    real = np.zeros((3, 4, 4, 3), np.uint8)
    real[1] = 10  # the real video goes 0, 10, 0
    generated = np.full_like(real, 100)
    generated[2, :, :2] = 130  # the generated one stands still, then half of it moves by 30
    assert temporal_difference(generated, real).tolist() == [10, (20 + 10) / 2]


def test_td_does_not_mind_direction_or_level():
    real = np.zeros((2, 4, 4, 3), np.uint8)
    real[1] = 50
    assert temporal_difference(200 - real, real).tolist() == [0]


def test_flicker_by_hand():
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    frames[1, :, :2] = 20
    left, everything = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    left[:, :2] = True
    assert flicker(frames, left) == pytest.approx(10)
    assert flicker(frames, everything) == pytest.approx(5)
    noise = np.random.default_rng(0).integers(0, 255, (9, 4, 4, 3)).astype(np.uint8)
    assert flicker(noise, left) == pytest.approx(noise[:, left].std(0).mean())
    with pytest.raises(ValueError, match='background'):
        flicker(frames, np.zeros((4, 4), bool))
    with pytest.raises(ValueError, match='two frames'):
        flicker(frames[:1], left)


def test_flow_points_back_to_where_pixels_were():
    texture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8), (0, 0), 2)
    moved = np.roll(texture, (3, 5), (0, 1))  # 3 down, 5 to the right
    flow, valid = optical_flow(moved, texture)
    inner = (slice(16, -16), slice(16, -16))
    assert valid[inner].mean() > 0.95
    assert np.median(flow[inner], (0, 1)) == pytest.approx([-5, -3], abs=0.2)
    assert warp_error(moved, texture, flow, valid) < 2
    still = np.zeros_like(flow)
    assert warp_error(moved, texture, still, valid) > 10
    assert np.isnan(warp_error(moved, texture, still, np.zeros_like(valid)))


def test_warp_error_by_hand():
    """A ramp of 10 levels a pixel, carried by half a pixel, is off by 5; pixels that do not count are left out."""
    ramp = np.repeat(np.repeat(10 * np.arange(20, dtype=np.uint8)[None, :, None], 20, 0), 3, -1)
    flow, valid = np.zeros((20, 20, 2), np.float32), np.zeros((20, 20), bool)
    flow[..., 0] = 0.5
    valid[5:15, 5:15] = True
    assert warp_error(ramp, ramp, flow, valid) == pytest.approx(5)
    spoiled = ramp.copy()
    spoiled[:5] = 255
    assert warp_error(spoiled, ramp, flow, valid) == pytest.approx(5)
    flow[..., 0] = 0
    assert warp_error(ramp + np.uint8(7), ramp, flow, valid) == pytest.approx(7)


def test_nothing_for_equal_videos(make_sample, without_lpips):
    sample = make_sample(frames=5, height=64, width=64)
    got = values(sample)
    assert got['td'] == 0
    assert got['flicker'] == got['flicker_real'] == 0  # the background stands still
    assert got['warp_error'] == got['warp_error_real']


def test_steps_from_the_content_frame_do_not_count(make_sample, without_lpips):
    sample = make_sample(frames=4)
    sample['generated'][0] = 0
    measure = Temporal().measure(sample)['measures']['td']
    assert measure['value'] == 0 and measure['samples'] == 2 and measure['frames'] == 3
    sample['generated'][2] = 0
    assert values(sample)['td'] > 10


def test_what_is_remembered_of_the_real_video_is_of_the_same_steps(make_sample, without_lpips):
    whole = make_sample(frames=5, height=64, width=64)
    for t, frame in enumerate(whole['real']):
        whole['real'][t] = np.roll(frame, 2 * t * t, 1)
    whole['scored'][:] = True
    later, metric = dict(whole, scored=np.arange(5) >= 2), Temporal()
    metric.measure(whole)
    assert metric.measure(later) == Temporal().measure(later)


def test_flicker_looks_at_the_background_only(make_sample, without_lpips):
    sample = make_sample(frames=6)
    sample['generated'][sample['mask']] = 0
    sample['generated'][3][sample['mask'][3]] = 255
    assert values(sample)['flicker'] == 0
    sample['generated'][3, :4] = 255
    assert values(sample)['flicker'] > 1


def test_no_background_no_flicker(make_sample, without_lpips):
    sample = make_sample()
    sample['mask'][:] = True
    measure = Temporal().measure(sample)['measures']['flicker']
    assert measure['value'] is None and 'no background' in measure['reason']


def test_two_frames_have_no_step(make_sample, without_lpips):
    measures = Temporal().measure(make_sample(frames=2))['measures']
    assert all(m['value'] is None and 'no two consecutive frames' in m['reason'] for m in measures.values())


def test_tiny_frames_have_no_flow(make_sample, without_lpips):
    measures = Temporal().measure(make_sample(frames=3, height=12, width=12))['measures']
    assert 'optical flow needs sides of at least 16 px, got 12x12' in measures['warp_error']['reason']
    assert measures['td']['value'] == 0


def test_without_weights_tlpips_alone_is_missing(make_sample, without_lpips):
    measures = Temporal().measure(make_sample())['measures']
    assert measures['tlpips'] == {'value': None, 'frames': 0, 'samples': None, 'reason': 'no backbone'}
    assert measures['td']['value'] == 0


@pytest.mark.shared
def test_tlpips(make_sample, shared_weights):
    sample = make_sample(frames=4, height=64, width=64)
    assert values(sample)['tlpips_squeeze'] == 0
    frozen = dict(sample, generated=np.repeat(sample['real'][:1], 4, 0))
    metric = Temporal()
    moves = metric.network(sample['real'][2:], sample['real'][1:-1]).mean()
    assert metric.measure(frozen)['measures']['tlpips_squeeze']['value'] == pytest.approx(moves)  # a frozen video misses all of it


def test_of_a_transfer_the_input_is_the_reference(make_sample, without_lpips):
    """Who copies the input moves exactly as it does, however the true result looks."""
    sample = make_sample(frames=5, height=64, width=64)
    transfer = dict(sample, real=make_sample(frames=5, height=64, width=64, seed=1)['real'] // 2, mask=~sample['mask'],
                    input=dict(frames=sample['real'], mask=sample['mask'], poses=sample['poses']))
    metric = Temporal(against='input')
    got = {k: m['value'] for k, m in metric.measure(transfer)['measures'].items()}
    assert got['td'] == 0 and got['warp_error'] == got['warp_error_real'] == values(sample)['warp_error']
    assert 'INPUT video' in metric.definitions['flicker_real'].text and values(transfer)['td'] > 0


def test_tlpips_says_by_which_network_and_weights_it_is_measured(monkeypatch):
    network = SimpleNamespace(name='squeeze', path=Path('weights') / 'squeezenet1_1_fp16.safetensors')
    monkeypatch.setattr('toolkit.metrics.temporal.LPIPSNetwork', lambda *args: network)
    assert Temporal().definitions['tlpips_squeeze'].text.endswith(
        'LPIPS v0.1, network squeeze, backbone squeezenet1_1_fp16.safetensors')
