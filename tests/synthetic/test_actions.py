import hashlib
import importlib
import json

import numpy as np
import pytest

from toolkit import skeletons as sk
from toolkit.clips.clip import Clip, find_clips
from toolkit.registry import EDGE_DETECTORS
from toolkit.structures import InputError
from toolkit.synthetic import SyntheticActions

SMALL = dict(height=128, width=96)


def digest(rendered) -> str:
    return hashlib.sha256(b''.join(np.ascontiguousarray(array).tobytes() for array in rendered)).hexdigest()


@pytest.fixture(scope='module')
def people() -> SyntheticActions:
    return SyntheticActions(**SMALL)


def test_thirteen_actors_do_sixteen_actions(people):
    assert len(people.actor_names) == 13 and len(set(people.actor_names)) == 13
    assert len(people.action_names) == 16 and len(set(people.action_names)) == 16
    assert people.frames == 100 and people.fps == 25


@pytest.mark.parametrize(('height', 'width'), [(384, 256), (128, 96), (192, 128), (101, 151)])
def test_shapes_types_and_ranges(height, width):
    frame, pose, mask, parts = SyntheticActions(height, width).render(2, 'clap', 40)
    assert frame.shape == (height, width, 3) and frame.dtype == np.uint8
    assert pose.shape == (18, 3) and pose.dtype == np.float32 and set(np.unique(pose[:, 2])) <= {0, 1}
    assert mask.shape == (height, width) and mask.dtype == np.float32 and 0 <= mask.min() and mask.max() <= 1
    assert parts.shape == (height, width) and parts.dtype == np.uint8 and parts.max() <= 10
    assert frame.std() > 20


def test_the_order_of_rendering_does_not_change_a_bit(people):
    keys = [(0, 'wave_right', 30), (5, 'march', 70), (0, 'wave_right', 31), (9, 3, 50)]
    first = [digest(people.render(*key)) for key in keys]
    again = SyntheticActions(**SMALL)
    assert [digest(again.render(*key)) for key in reversed(keys)] == first[::-1]


def test_seed_changes_the_picture_but_not_the_motion():
    a, b = (SyntheticActions(**SMALL, seed=seed) for seed in (0, 1))
    assert not np.array_equal(a.render(0, 0, 0).frame, b.render(0, 0, 0).frame)
    assert a.truth(0)['shirt'] != b.truth(0)['shirt'] or a.truth(1)['shirt'] != b.truth(1)['shirt']


def test_noise_differs_between_frames_of_a_still_scene(people):
    corner = [people.render(0, 'bow', t).frame[:12, 40:70].astype(int) for t in (0, 1, 2)]
    assert np.abs(corner[0] - corner[1]).max() > 0 and np.abs(corner[1] - corner[2]).max() > 0
    assert np.abs(corner[0] - corner[1]).mean() < 4


@pytest.mark.parametrize('action', ['march', 'clap'])
def test_nothing_pops_from_frame_to_frame(people, action):
    rendered = [people.render(7, action, t) for t in range(20, 60)]
    change = np.array([np.abs(a.frame.astype(int) - b.frame).mean() for a, b in zip(rendered, rendered[1:])])
    moved = np.array([np.abs(a.pose[:, :2] - b.pose[:, :2]).mean() for a, b in zip(rendered, rendered[1:])])
    assert moved.max() < 6
    per_motion = (change - 0.9 * change.min()) / (moved + 0.1)
    assert per_motion.max() < 2.6 * np.median(per_motion)


@pytest.mark.parametrize('action', ['squat', 'march', 'side_bend', 'salute'])
def test_truth_is_consistent(people, action):
    for actor in (1, 6):
        _, pose, mask, parts = people.render(actor, action, 45)
        assert np.array_equal(mask > 0.5, parts > 0)
        assert set(np.unique(parts)) >= {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
        x, y = np.rint(pose[list(sk.LIMB_JOINTS), :2]).astype(int).T
        assert (mask[y, x] > 0.5).all()
        nose = np.rint(pose[sk.NOSE, :2]).astype(int)
        assert parts[nose[1], nose[0]] == sk.PARTS.index('head') + 1


def test_labels_lie_on_their_limbs(people):
    rendered = people.render(4, 'jumping_jack', 25)
    for part, (a, b) in sk.LIMB_PARTS.items():
        x, y = np.rint(rendered.pose[[a, b], :2].mean(0)).astype(int)
        assert rendered.parts[y, x] == part + 1


def test_right_is_on_the_left_of_the_picture_when_facing_the_camera(people):
    pose = people.render(3, 'wave_right', 0).pose
    assert pose[sk.R_SHOULDER, 0] < pose[sk.L_SHOULDER, 0] and pose[sk.R_EYE, 0] < pose[sk.L_EYE, 0]
    raised = people.render(3, 'wave_right', 40).pose
    assert raised[sk.R_WRIST, 1] < raised[sk.R_SHOULDER, 1] - 5 and raised[sk.L_WRIST, 1] > raised[sk.L_HIP, 1] - 10


def test_all_actions_stay_in_the_frame(people):
    for action in people.action_names:
        poses = np.stack([people.render(12, action, t).pose for t in (25, 50, 75)])
        assert (poses[..., 2] == 1).all(), action


def test_geometry_scales_with_the_height():
    large, small = (SyntheticActions(h, w).render(7, 'lunge', 30) for h, w in ((384, 256), (96, 64)))
    assert np.allclose((large.pose[:, :2] + .5) / 4 - .5, small.pose[:, :2], atol=1e-3)
    shrunk = large.mask.reshape(96, 4, 64, 4).mean((1, 3))
    inside, union = np.minimum(shrunk, small.mask).sum(), np.maximum(shrunk, small.mask).sum()
    assert inside / union > 0.9


def test_stature_scales_the_person_and_not_the_room(people):
    tall, small = people.render(1, 'march', 30), SyntheticActions(**SMALL, stature=0.7).render(1, 'march', 30)
    spans = [np.ptp(person.pose[:, 1]) for person in (tall, small)]
    assert spans[1] / spans[0] == pytest.approx(0.7, abs=0.02)
    assert small.mask.sum() / tall.mask.sum() == pytest.approx(0.7 ** 2, abs=0.05), 'limbs are thinner, too'
    room = (tall.mask + small.mask) == 0
    room[80:] = False
    assert np.abs(tall.frame[room].astype(int) - small.frame[room]).mean() < 3, 'noise of the camera alone'


def test_a_plain_room_is_smooth(people):
    rendered = [SyntheticActions(**SMALL, room=room).render(1, 'march', 30) for room in ('furnished', 'plain')]
    assert (rendered[0].mask == rendered[1].mask).all() and (rendered[0].pose == rendered[1].pose).all()
    free = rendered[0].mask[:70] == 0
    edges = [np.abs(np.diff(r.frame[:70].astype(float).mean(2), axis=1))[free[:, 1:] & free[:, :-1]].max() for r in rendered]
    assert edges[1] < 8 < 40 < edges[0]


def test_joints_outside_a_narrow_frame_are_missing():
    pose = SyntheticActions(384, 80).render(0, 'arms_up', 30).pose
    assert (pose[[sk.R_WRIST, sk.L_WRIST]] == 0).all() and (pose[[sk.NOSE, sk.NECK], 2] == 1).all()


def test_actors_differ_in_clothes_and_size_and_move_in_time(people):
    truths = [people.truth(i) for i in range(13)]
    assert len({tuple(t['shirt']) for t in truths}) == 13 and len({t['body_height'] for t in truths}) >= 12
    assert {t['pattern'] for t in truths} == {'plain', 'stripes', 'check', 'print'}
    json.dumps(truths)
    raised = [people.render(i, 'arms_up', 50).pose for i in (0, 4, 11)]
    assert all(pose[sk.L_WRIST, 1] < pose[sk.NOSE, 1] for pose in raised)


def test_shirt_has_the_color_of_the_truth(people):
    actor = 0
    assert people.truth(actor)['pattern'] == 'plain'
    frame, _, _, parts = people.render(actor, 0, 0)
    shirt = np.array(people.truth(actor)['shirt'], float)
    seen = np.median(frame[parts == 1], 0)
    assert np.abs(seen / np.linalg.norm(seen) - shirt / np.linalg.norm(shirt)).max() < 0.05


@pytest.mark.parametrize(('kwargs', 'word'), [(dict(height=8), 'height'), (dict(actions=17), 'actions'), (dict(frames=0), 'frames'),
                                              (dict(room='empty'), 'furnished, plain'), (dict(stature=2), 'stature'),
                                              (dict(seed=-1), 'seed'), (dict(fps=0), 'fps'), (dict(width=64.5), 'width')])
def test_bad_settings_are_named(kwargs, word):
    with pytest.raises(InputError, match=word):
        SyntheticActions(**kwargs)


@pytest.mark.parametrize(
    ('actor', 'action', 't', 'word'), [(13, 0, 0, 'actor'), (0, 'fly', 0, 'fly'), (0, 16, 0, '16'), (0, 0, 100, '99')])
def test_bad_requests_are_named(people, actor, action, t, word):
    with pytest.raises(InputError, match=word):
        people.render(actor, action, t)


def test_write_makes_clips_that_can_be_read(tmp_path):
    people = SyntheticActions(96, 64, frames=4)
    folders = people.write(tmp_path, actors=[2], actions=['kick', 1], frame_format='png', num_workers=1, progress=False)
    assert [folder.name for folder in folders] == ['02_kick', '02_wave_both']
    clips = find_clips(tmp_path)
    assert [(clip.name, clip.person, clip.action, len(clip)) for clip in clips] == [
        ('02_kick', 'actor_02', 'kick', 4), ('02_wave_both', 'actor_02', 'wave_both', 4)]
    rendered = people.render(2, 'kick', 3)
    assert np.array_equal(clips[0].frame(3), rendered.frame)
    assert np.array_equal(clips[0].poses[3], rendered.pose)
    assert np.array_equal(clips[0].parts(3), rendered.parts)
    assert np.abs(clips[0].mask(3) - rendered.mask).max() <= 0.51 / 255
    assert clips[0].edge(3).max() > 0.5
    assert clips[0].manifest['truth'] == people.truth(2)
    assert set(clips[0].manifest['made_by']) == {'poses', 'edges', 'masks', 'parts'}


def test_write_takes_what_can_be_read_only_once(tmp_path):
    folders = SyntheticActions(64, 48, frames=1).write(
        tmp_path, actors=iter([0, 2]), actions=(name for name in ['kick']), num_workers=1, progress=False)
    assert [folder.name for folder in folders] == [clip.name for clip in find_clips(tmp_path)] == ['00_kick', '02_kick']


def test_write_skips_what_is_there_and_goes_on_where_it_stopped(tmp_path, monkeypatch):
    people = SyntheticActions(64, 48, frames=3)
    people.write(tmp_path, actors=[0], actions=[0], num_workers=1, progress=False)
    stamp = (tmp_path / '00_wave_right' / 'manifest.json').stat().st_mtime_ns
    rendered, render = [], SyntheticActions.render

    def stop_at_two(self, actor, action, t):
        if len(rendered) == 2:
            raise KeyboardInterrupt
        rendered.append(t)
        return render(self, actor, action, t)

    monkeypatch.setattr(SyntheticActions, 'render', stop_at_two)
    with pytest.raises(KeyboardInterrupt):
        people.write(tmp_path, actors=[0], actions=[0, 1], num_workers=1, progress=False)
    assert [clip.name for clip in find_clips(tmp_path)] == ['00_wave_right']
    monkeypatch.setattr(SyntheticActions, 'render', lambda *key: rendered.append(key[3]) or render(*key))
    people.write(tmp_path, actors=[0], actions=[0, 1], num_workers=1, progress=False)
    assert rendered == [0, 1, 2]
    assert (tmp_path / '00_wave_right' / 'manifest.json').stat().st_mtime_ns == stamp
    assert len(Clip(tmp_path / '00_wave_both')) == 3


def test_write_with_processes_gives_the_same_clip(tmp_path):
    people = SyntheticActions(64, 48, frames=2)
    for workers in (1, 2):
        people.write(tmp_path / str(workers), actors=[1], actions=[0, 1], frame_format='png', num_workers=workers, progress=False)
    for a, b in zip(find_clips(tmp_path / '1'), find_clips(tmp_path / '2')):
        assert np.array_equal(a.frames(), b.frames()) and np.array_equal(a.poses, b.poses)


def test_processes_know_an_edge_detector_of_the_user(tmp_path, monkeypatch):
    (tmp_path / 'flat_edges.py').write_text(
        'import numpy as np\n\nfrom toolkit.registry import EDGE_DETECTORS\n\n\n'
        '@EDGE_DETECTORS.register_module()\n'
        "class FlatEdges:\n    version = '1'\n\n"
        '    def __call__(self, frames):\n        return np.full(frames.shape[:3], .2, np.float32)\n')
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module('flat_edges')
    try:
        SyntheticActions(64, 48, frames=1).write(
            tmp_path / 'clips', actors=[0], actions=[0, 1], num_workers=2, edge_detector=dict(type='FlatEdges'), progress=False)
    finally:
        del EDGE_DETECTORS._module_dict['FlatEdges']
    assert [(clip.edge_u8(0) == 51).all() for clip in find_clips(tmp_path / 'clips')] == [True, True]


def test_write_refuses_a_folder_with_clips_of_another_rate_or_other_edges(tmp_path):
    def write(edges=None, **settings):
        SyntheticActions(64, 48, frames=1, **settings).write(
            tmp_path, actors=[0], actions=[0], num_workers=1, edge_detector=edges, progress=False)

    write(dict(type='SoftCanny', sigma=2))
    assert Clip(tmp_path / '00_wave_right').manifest['made_by']['edges'] == dict(type='SoftCanny', sigma=2, version='1')
    write(dict(type='SoftCanny', sigma=2), fps=25.0)
    for other in (dict(fps=50, edges=dict(type='SoftCanny', sigma=2)), dict(edges=dict(type='SoftCanny', sigma=3)), dict()):
        with pytest.raises(InputError, match='00_wave_right: holds a clip made with other settings'):
            write(**other)


def test_write_refuses_a_folder_with_other_clips(tmp_path):
    SyntheticActions(64, 48, frames=1).write(tmp_path, actors=[0], actions=[0], num_workers=1, progress=False)
    with pytest.raises(InputError, match='00_wave_right'):
        SyntheticActions(64, 48, frames=1, seed=5).write(tmp_path, actors=[0], actions=[0], num_workers=1, progress=False)
    with pytest.raises(InputError, match='00_wave_right'):
        SyntheticActions(64, 48, frames=1, room='plain').write(tmp_path, actors=[0], actions=[0], num_workers=1, progress=False)
