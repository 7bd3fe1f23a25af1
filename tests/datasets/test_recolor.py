"""The recoloring transform: what changes, what stays, what is recorded."""

import numpy as np
import pytest
import torch

from toolkit.colors.lab import rgb_to_lab
from toolkit.datasets.recolor import RecolorGarments
from toolkit.datasets.windows import ClipWindows
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions

UP, DOWN = 0, 1


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('clips')
    actions = SyntheticActions(height=192, width=128, actors=13, actions=16, frames=3)
    actions.write(root, actors=[0], actions=[1], num_workers=1, progress=False, frame_format='png')
    return root


def windows(root, **options):
    transforms = [dict(type='RecolorGarments', keep=0., chroma=(50, 60), **options)] if options else []
    return ClipWindows(root, window=2, transforms=transforms)


def mean_ab(frame, where):
    """Mean a, b of a (3, H, W) uint8 tensor over a mask."""
    return rgb_to_lab(frame[:, where].T.float() / 255)[:, 1:].mean(0)


@pytest.mark.parametrize('region, changed, same', [('up', UP, DOWN), ('down', DOWN, UP)])
def test_one_garment_changes_and_the_rest_stays(root, region, changed, same):
    plain, item = windows(root)[0], windows(root, region=region, per='frame')[0]
    for key in ('edges', 'masks', 'poses', 'pose_maps', 'content_frame'):
        assert torch.equal(plain[key], item[key]), key
    difference = (plain['frames'].int() - item['frames'].int()).abs().amax(1)
    assert not difference[plain['masks'][:, 0] == 0].any(), 'background changed'
    areas = plain['regions'] > 200
    assert difference[areas[:, changed]].float().mean() > 4 * difference[areas[:, same] & ~areas[:, changed]].float().mean()
    assert item['garment_colors'][:, changed].isfinite().all() and item['garment_colors'][:, same].isnan().all()


def test_frames_of_stage_one_differ_and_those_of_a_clip_agree(root):
    single = windows(root, region='up', per='frame')[0]['garment_colors']
    assert (single[0, UP] - single[1, UP]).norm() > 1
    item = windows(root, region='both', per='clip')[0]
    assert torch.equal(item['garment_colors'][0], item['garment_colors'][1])
    core = (item['content_parts'][0] == 1) & (item['content_mask'][0] == 255)
    original = windows(root)[0]['content_frame']
    assert (mean_ab(item['content_frame'], core) - mean_ab(original, core)).norm() > 10
    assert (mean_ab(item['content_frame'], core) - item['garment_colors'][0, UP]).norm() < 12


@pytest.mark.parametrize('keep', [10, -.1, float('nan')])
def test_a_share_of_kept_colors_that_is_none_is_refused(keep):
    with pytest.raises(InputError, match=f'RecolorGarments: keep={keep}, expected a probability'):
        RecolorGarments(keep=keep)


def test_colors_depend_on_the_draw_alone(root):
    data = windows(root, region='both', per='clip')
    first, again, other = data[0, 3], data[0, 3], data[0, 4]
    assert torch.equal(first['frames'], again['frames'])
    assert not np.allclose(first['garment_colors'], other['garment_colors'])
