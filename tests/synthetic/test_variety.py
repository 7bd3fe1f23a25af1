"""Actors, cameras, lights and rooms by chance."""

import numpy as np
import pytest

from toolkit import skeletons as sk
from toolkit.clips.clip import find_clips
from toolkit.structures import InputError
from toolkit.synthetic import SyntheticActions
from toolkit.synthetic.build import build_synthetic
from toolkit.synthetic.variety import drawn_view

SMALL = dict(height=128, width=96, frames=20)


@pytest.fixture(scope='module')
def people() -> SyntheticActions:
    return SyntheticActions(**SMALL, actors=40, varied=True)


def test_actors_differ_and_are_the_same_again(people):
    actors = [people.actor(i) for i in range(40)]
    for trait in ('height', 'girth', 'legs', 'arms', 'shoulders', 'shirt', 'trousers', 'skin'):
        assert len({getattr(actor, trait) for actor in actors}) > 35, trait
    assert all(sum(actor.hair) <= .8 * sum(actor.skin) and min(actor.shirt) >= 58 for actor in actors)
    again = SyntheticActions(**SMALL, actors=3, varied=True)
    assert np.array_equal(again.render(2, 'kick', 9).frame, people.render(2, 'kick', 9).frame)
    other = SyntheticActions(**SMALL, actors=3, varied=True, seed=1)
    assert not np.array_equal(other.render(2, 'kick', 9).pose, people.render(2, 'kick', 9).pose)


def test_truth_is_consistent_from_every_camera(people):
    """Whatever is in the frame: joints lie on the person, mask and labels agree, and the head is seen."""
    for actor in range(0, 24, 3):
        frame, pose, mask, parts = people.render(actor, 'clap', 3)
        assert np.array_equal(mask > .5, parts > 0) and frame.std() > 15
        seen = [joint for joint in sk.LIMB_JOINTS if pose[joint, 2]]
        x, y = np.rint(pose[seen, :2]).astype(int).T
        assert (mask[y.clip(0, 127), x.clip(0, 95)] > .5).mean() > .9
        assert pose[sk.NOSE, 2] == 1 and pose[sk.L_SHOULDER, 2] == 1


def test_some_cameras_show_the_whole_body_and_some_a_part(people):
    whole = [bool(people.render(actor, 'march', 10).pose[[sk.L_ANKLE, sk.R_ANKLE], 2].all()) for actor in range(16)]
    assert 6 <= sum(whole) <= 13
    heights = [np.ptp(people.render(actor, 'march', 10).pose[[sk.NECK, sk.L_HIP], 1]) for actor in range(16)]
    assert max(heights) > 1.5 * min(heights)


def test_light_comes_from_many_sides():
    lights = np.array([drawn_view(i, 0).light for i in range(40)])
    assert np.allclose(np.linalg.norm(lights, axis=1), 1) and (lights[:, 2] > 0).all() and (lights[:, 1] < 0).all()
    assert lights[:, 0].min() < -.4 and lights[:, 0].max() > .4


def test_a_folder_of_varied_people_is_not_one_of_the_thirteen(tmp_path):
    options = dict(height=64, width=48, actors=[20], actions=[0], frames=3, num_workers=1)
    with pytest.raises(InputError, match='actor must be in 0..12'):
        build_synthetic(tmp_path / 'people', options)
    options = dict(height=64, width=48, actors=1, actions=1, frames=3, num_workers=1)
    build_synthetic(tmp_path / 'people', dict(options, varied=True))
    clip, = find_clips(tmp_path / 'people')
    assert clip.manifest['truth']['varied'] is True
    with pytest.raises(InputError, match='varied was True, now False'):
        build_synthetic(tmp_path / 'people', options)
