"""Recolored frames with recorded colors."""

import numpy as np
import pytest

from toolkit.analysis.frame_bank import FrameBank
from toolkit.colors.lab_uint8 import rgb8_to_lab
from toolkit.datasets.windows import ClipWindows
from toolkit.metrics.color_control import region_mean
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp('bank')
    actions = SyntheticActions(96, 64, actors=13, actions=16, frames=5)
    actions.write(root, actors=[0, 1], actions=[0, 1], num_workers=1, progress=False)
    return ClipWindows(root, window=1)


@pytest.fixture(scope='module')
def bank(dataset):
    return FrameBank(dataset, 16, seed=3)


def test_frames_are_spread_over_clips(dataset, bank):
    assert len(bank) == 16 and {bank.clips.count(clip) for clip in bank.clips} == {4} and len(set(bank.persons)) == 2
    few = FrameBank(dataset, 8)
    assert len(few) == 8 and len(set(few.clips)) == 2
    again = FrameBank(dataset, 16, seed=3)
    assert np.array_equal(bank.frames, again.frames) and np.array_equal(bank.weights, again.weights)


def test_recorded_colors_are_in_the_pictures(bank):
    new = bank.recolored(seed=5)
    lab, old = rgb8_to_lab(new.frames), rgb8_to_lab(bank.frames)
    for n in range(len(bank)):
        for place in range(2):
            solid = bank.weights[place, n] > 250
            found = region_mean(lab[n:n + 1], bank.weights[place, n:n + 1])[0, 1:]
            assert np.linalg.norm(found - new.colors[n, place]) < 1.5
            assert np.abs(lab[n][solid, 0] - old[n][solid, 0]).mean() < 1
    assert len({tuple(c) for c in new.colors[:, 0]}) == 16, 'each frame has a color of its own'
    again, other = bank.recolored(seed=5), bank.recolored(seed=6)
    assert np.array_equal(again.frames, new.frames) and not np.array_equal(other.colors, new.colors)


def test_one_garment_alone(bank):
    new = bank.recolored(('down',), seed=1)
    assert np.isnan(new.colors[:, 0]).all() and np.isfinite(new.colors[:, 1]).all()
    untouched = bank.weights[1] == 0
    assert np.array_equal(new.frames[untouched], bank.frames[untouched]) and not np.array_equal(new.frames, bank.frames)


def test_batches_are_the_datasets_items(dataset, bank):
    batch = bank.batch(bank.frames, [2, 7])
    item = next(i for i in map(dataset.__getitem__, range(len(dataset)))
                if i['clip'] == bank.clips[7] and np.array_equal(i['frames'][0].movedim(0, -1), bank.frames[7]))
    for key in ('frames', 'poses', 'pose_maps', 'edges', 'masks', 'regions'):
        assert batch[key].shape[0] == 2 and np.array_equal(batch[key][1], item[key]), key


def test_too_little_data(dataset):
    with pytest.raises(InputError, match='5 frames are too few'):
        FrameBank(ClipWindows(dataset.clips[0].folder, window=1), 40)
