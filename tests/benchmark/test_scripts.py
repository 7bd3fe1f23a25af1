"""What benchmarks/ measures is measured to the end."""

import sys
from pathlib import Path

import numpy as np
import pytest

from toolkit.synthetic.actions import SyntheticActions
from toolkit.video.io import VideoWriter


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / 'benchmarks'))
    yield
    for name in ('bench_prepare', 'bench_evaluation'):
        sys.modules.pop(name, None)


def test_all_stages_of_preparing_are_compared(scripts, tmp_path):
    import bench_prepare
    people = SyntheticActions(height=96, width=64)
    rendered = [people.render(actor=2, action=3, t=t) for t in range(4)]
    with VideoWriter(tmp_path / 'me.mp4', 25) as video:
        for one in rendered:
            video.write(one.frame)
    poses = np.stack([one.pose for one in rendered])

    def estimate(frames):
        return poses[:len(frames)]

    def detect(frames, *_):
        return np.full(frames.shape[:3], 0.75, np.float32)

    parts, stages = (estimate, detect, detect), {'decode', 'poses', 'crop', 'masks', 'edges', 'parts', 'write'}
    ours, crop, count = bench_prepare.toolkit_way(tmp_path / 'me.mp4', parts, 3, (64, 48), tmp_path)
    plain = bench_prepare.straightforward_way(tmp_path / 'me.mp4', parts, count, crop, tmp_path)
    assert count == 3 and set(ours.seconds) == set(plain.seconds) == stages


def test_a_process_that_dies_ends_the_measurement(scripts, monkeypatch):
    import bench_evaluation
    monkeypatch.setattr(sys, 'argv', ['bench_evaluation.py', '--frames', '3', '4', '--size', '32', '32'])
    monkeypatch.setattr(bench_evaluation, 'make_clip', lambda *_: None)
    with pytest.raises(Exception, match='no prepared clips'):
        bench_evaluation.main()
