"""A clip in other clothes, and the areas that are looked at."""

import numpy as np
import pytest

from toolkit.analysis.recolorable_clip import RecolorableClip
from toolkit.colors.lab_uint8 import rgb8_to_lab
from toolkit.datasets.windows import ClipWindows
from toolkit.skeletons import L_ANKLE, NOSE, R_WRIST
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('clip')
    actions = SyntheticActions(128, 96, actors=13, actions=16, frames=5)
    actions.write(root, actors=[1], actions=[0], num_workers=1, progress=False)
    return ClipWindows(root, window=None)


@pytest.fixture(scope='module')
def item(data):
    return data[0]


@pytest.fixture(scope='module')
def clip(item):
    return RecolorableClip(item)


def test_outfits_reach_frames_and_content_alike(clip):
    (up, down), rng = clip.draw(np.random.default_rng(0)), np.random.default_rng(1)
    frames, content = clip.dressed(up, down)
    pictures, weights = np.concatenate([frames, content[None]]), np.concatenate([clip.weights, clip.content_weights[:, None]], 1)
    lab, old = rgb8_to_lab(pictures), rgb8_to_lab(np.concatenate([clip.frames, clip.content_frame[None]]))
    for ab, weight in zip((up, down), weights):
        means = np.array([picture[w > .99, 1:].mean(0) for picture, w in zip(lab, weight)])
        assert np.ptp(means, 0).max() < 6 and np.linalg.norm(means.mean(0) - ab) < 12
    assert np.abs(lab - old)[(weights == 0).all(0)].max() == 0
    first = clip.draw(rng)
    assert clip.draw(np.random.default_rng(1)) == first != clip.draw(rng, (first,))


def test_the_middle_of_a_clip_and_its_content_frame(data, clip):
    assert clip.scored.tolist() == [False, True, True, True, True]
    middle = RecolorableClip.read(data, 0, 3)
    assert np.array_equal(middle.frames, clip.frames[1:4]) and middle.scored.all() and len(middle.item['poses']) == 3
    assert middle.numbers.tolist() == [1, 2, 3], 'a part knows where it is in its clip'
    assert len(RecolorableClip.read(data, 0, 50).frames) == 5


def test_areas_lie_where_they_should(clip):
    areas = clip.areas
    assert not (areas['background'] & (areas['up'] | areas['down'] | areas['head_hands'])).any()
    assert not (areas['head_hands'] & (clip.weights.max(0) > .1)).any()
    for t, pose in enumerate(clip.poses):
        (x, y), (ankle_x, ankle_y) = (pose[j, :2].round().astype(int) for j in (NOSE, L_ANKLE))
        assert areas['head_hands'][t, y, x] and areas['down'][t, ankle_y, ankle_x] and areas['background'][t, 2, 2]
        wrist_x, wrist_y = pose[R_WRIST, :2].round().astype(int)
        assert areas['head_hands'][t, wrist_y - 6:wrist_y + 7, wrist_x - 6:wrist_x + 7].any()
    assert all(area.any() for area in areas.values())


def test_a_hidden_garment_is_named(item):
    hidden = dict(item, masks=0 * item['masks'], content_mask=0 * item['content_mask'], content_parts=0 * item['content_parts'])
    with pytest.raises(InputError, match='no upper garment is seen'):
        RecolorableClip(hidden)
