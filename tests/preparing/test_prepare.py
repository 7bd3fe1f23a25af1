import errno
import json
import multiprocessing
import os
import signal
import warnings
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from toolkit import files
from toolkit.clips.clip import Clip, find_clips
from toolkit.clips.folder import SOUND_FILE, check_clip_folder, foreign_files
from toolkit.poses.keypoint_files import KeypointFiles
from toolkit.preparing import poses as prepare_poses
from toolkit.preparing import prepare as module
from toolkit.preparing.prepare import prepare_video
from toolkit.preparing.settings import PrepareSettings, UnusableClipError, clip_names
from toolkit.structures import InputError, MissingWeightsError

SIZE = dict(height=96, width=64)


@pytest.fixture
def prepare(people, tmp_path):
    def run(path, pose=None, mask=None, out=None, **options):
        parts = pose or people.Pose(), people.Edges(), mask or people.Mask()
        return prepare_video(path, out or tmp_path / 'out', *parts, **SIZE | options)
    return run


def same(a, b):
    return (np.array_equal(a.poses, b.poses) and np.array_equal(a.frames(), b.frames())
            and all(np.array_equal(a.mask(t), b.mask(t)) and np.array_equal(a.parts(t), b.parts(t)) for t in range(len(a))))


def test_a_clip_is_framed_around_the_person_and_all_maps_agree(prepare, walk):
    seen = []
    clip = prepare(walk, person='ann', smooth=False, progress=lambda stage, done, total: seen.append((stage, done, total)))
    assert (clip.name, clip.person, clip.action, clip.fps) == ('walk', 'ann', 'walk', 25)
    assert (len(clip), clip.height, clip.width) == (40, 96, 64)
    assert seen[0] == ('poses', 40, 40) and seen[-1] == ('frames', 40, 40)
    for t in (0, 20, 39):
        mask, pose = clip.mask(t), clip.poses[t]
        y, x = np.argwhere(mask > .5).mean(0)
        assert abs(x - pose[1, 0]) < 1.5 and mask[tuple(np.rint(pose[1, 1::-1]).astype(int))] == 1
        assert (clip.parts(t)[mask > .5] > 0).mean() > .8 and not clip.parts(t)[mask < .5].any()
    assert (np.stack([clip.mask(t) for t in range(40)]).max(0).sum(1) > 0).mean() > .7
    source = clip.manifest['source']
    assert source['file'] == 'walk.mp4' and len(source['sha256']) == 64 and abs(source['crop'][2] / source['crop'][3] - 2 / 3) < .01
    assert clip.manifest['made_by']['poses'] == dict(type='StubPose', version='1')
    assert clip.manifest['report']['verdict'] == 'ok', clip.manifest['report']['warnings']
    assert clip.manifest['report']['person_height'] == pytest.approx(40 * 3.85, rel=.05)
    assert clip.array('raw').shape == (40, 18, 3) and clip.array('times')[-1] == pytest.approx(39 / 25)


def test_a_finished_clip_is_not_made_again_and_other_settings_are_an_error(prepare, walk, people):
    first = prepare(walk)
    lazy = people.Pose()
    assert same(prepare(walk, lazy), first) and lazy.calls == 0
    with pytest.raises(InputError, match=r"smooth was True, now False.*--overwrite"):
        prepare(walk, smooth=False)
    assert prepare(walk, smooth=False, overwrite=True).manifest['settings']['smooth'] is False
    people.write(walk, [people.draw(240, 320, 150, 60, 40)] * 3)
    with pytest.raises(InputError, match='source was'):
        prepare(walk, smooth=False)


def test_a_finished_clip_in_a_read_only_folder_is_taken_as_it_is(prepare, walk, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError('something is written')

    first = prepare(walk)
    for name in ('make_folder', 'clip_lock', 'tidy_partial'):
        monkeypatch.setattr(f'toolkit.preparing.prepare.{name}', refuse)
    assert same(prepare(walk), first)


def test_a_clip_is_no_folder_of_pictures(prepare, walk, tmp_path):
    clip = prepare(walk)
    assert (clip.folder / 'source.jpg').exists(), 'a picture that would be taken for the person'
    with pytest.raises(InputError, match='walk: a prepared clip, which is ready as it is; give the video'):
        prepare(clip.folder, out=tmp_path / 'other')


def test_clips_of_one_stem_stand_beside_each_other(prepare, walk, people, tmp_path):
    """As generate.py prepares them: another file of the same name, the same file after a change, another size."""
    (tmp_path / 'her').mkdir()
    other = people.write(tmp_path / 'her' / 'walk.mp4', [people.draw(240, 320, 150, 60, 40)] * 3)
    names = [prepare(walk, unique=True).name, prepare(other, unique=True).name, prepare(other, unique=True, height=128).name]
    people.write(walk, [people.draw(240, 320, 140, 60, 40)] * 3)
    names.append(prepare(walk, unique=True).name)
    assert len(set(names)) == 4 and all(name.startswith('walk-') for name in names)
    assert prepare(other, unique=True).name == names[1]


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(prepare_poses, 'POSE_CHUNK', 16)
    monkeypatch.setattr(module, 'CLIP_CHUNK', 8)


@pytest.fixture
def long_video(people, tmp_path):
    return people.write(tmp_path / 'long.mp4', [people.draw(96, 64, 24 + t / 4, 24, 16) for t in range(36)])


@pytest.mark.parametrize('where, call', [('pose', 1), ('pose', 3), ('mask', 1), ('mask', 5)])
def test_an_interrupted_run_goes_on_and_ends_the_same(prepare, people, long_video, small_chunks, tmp_path, where, call):
    path = long_video
    whole = prepare(path, out=tmp_path / 'whole')
    with pytest.raises(KeyboardInterrupt):
        prepare(path, people.Pose(call if where == 'pose' else None), people.Mask(call if where == 'mask' else None))
    assert find_clips(tmp_path / 'out') == []
    pose, mask = people.Pose(), people.Mask()
    clip = prepare(path, pose, mask)
    assert same(clip, whole)
    assert pose.frames == {('pose', 1): 36, ('pose', 3): 4}.get((where, call), 0)
    assert mask.calls == (5 if where == 'pose' else 5 - (call - 1))
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == ['long']
    assert not (clip.folder / 'work').exists()


@pytest.mark.parametrize('kill_at', [('poses', 16), ('frames', 16)])
def test_a_killed_process_loses_only_its_chunk(prepare, people, long_video, small_chunks, tmp_path, kill_at):
    whole = prepare(long_video, out=tmp_path / 'whole')

    def kill(stage, done, total):
        if (stage, done) == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    process = multiprocessing.get_context('fork').Process(target=prepare, args=(long_video,), kwargs=dict(progress=kill))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL and find_clips(tmp_path / 'out') == []
    (tmp_path / 'out' / '.long.partial' / 'frames').mkdir(exist_ok=True)
    (tmp_path / 'out' / '.long.partial' / 'frames' / '000016.png').write_bytes(b'half a')
    pose, mask = people.Pose(), people.Mask()
    assert same(prepare(long_video, pose, mask), whole)
    assert (pose.frames, mask.calls) == ((20, 5) if kill_at[0] == 'poses' else (0, 3))


def test_an_interrupted_clip_begins_again_where_its_window_has_become_another_one(
        prepare, people, long_video, small_chunks, tmp_path, monkeypatch):
    """As a newer version of the toolkit may choose it: no clip has frames of two windows."""
    with pytest.raises(KeyboardInterrupt):
        prepare(long_video, mask=people.Mask(3))
    before = module.person_crop
    monkeypatch.setattr(module, 'person_crop', lambda *poses: replace(before(*poses), y=before(*poses).y + 3))
    whole, mask = prepare(long_video, out=tmp_path / 'whole'), people.Mask()
    assert same(prepare(long_video, mask=mask), whole) and mask.calls == 5


@pytest.mark.parametrize('after', [False, True])
def test_nothing_is_lost_just_before_or_after_a_clip_gets_its_name(prepare, people, long_video, tmp_path, monkeypatch, after):
    whole, replace = prepare(long_video, out=tmp_path / 'whole'), os.replace

    def interrupted(one, other):
        if Path(other).name == 'long':
            if after:
                replace(one, other)
            raise KeyboardInterrupt
        replace(one, other)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, 'replace', interrupted)
        prepare(long_video)
    check_clip_folder(tmp_path / 'out' / 'long', overwrite=True)
    pose, mask = people.Pose(), people.Mask()
    clip = prepare(long_video, pose, mask)
    assert same(clip, whole) and (pose.frames, mask.calls) == (0, 0 if after else 1) and clip.manifest == whole.manifest
    assert [p.name for p in (tmp_path / 'out').iterdir()] == ['long'] and not foreign_files(clip.folder)
    assert {p.name for p in clip.folder.iterdir()} == {p.name for p in whole.folder.iterdir()}


def test_a_picture_that_a_power_cut_left_empty_does_not_stop_the_clip(prepare, people, long_video, small_chunks, tmp_path):
    whole = prepare(long_video, out=tmp_path / 'whole')
    with pytest.raises(KeyboardInterrupt):
        prepare(long_video, people.Pose(3))
    pictures = sorted((tmp_path / 'out' / '.long.partial' / 'work').glob('*.jpg'))
    for picture in pictures:
        picture.write_bytes(b'')
    clip = prepare(long_video)
    assert len(pictures) == 2 and same(clip, whole)
    assert (whole.folder / 'source.jpg').exists() and not (clip.folder / 'source.jpg').exists()


def test_crops(prepare, walk, tmp_path):
    assert prepare(walk, out=tmp_path / 'c', crop='center').manifest['source']['crop'] == [80, 0, 160, 240]
    assert prepare(walk, out=tmp_path / 'g', crop=(90, 0, 120, 180)).manifest['source']['crop'] == [90, 0, 120, 180]
    with pytest.raises(InputError, match='squeezed'):
        prepare(walk, out=tmp_path / 'b', crop=(0, 0, 100, 100))


@pytest.mark.parametrize('crop, message', [
    ((400, 0, 64, 96), 'does not lie on the frame of 320x240'), ((0, 0, 100, 100), 'has the shape 100:100, the clip 64:96')])
def test_a_crop_that_does_not_fit_is_told_before_the_poses_are_looked_for(prepare, walk, people, crop, message):
    pose = people.Pose()
    with pytest.raises(InputError, match=f'walk.mp4: crop .*{message}'):
        prepare(walk, pose, crop=crop)
    assert pose.calls == 0


@pytest.mark.parametrize('option', [dict(path=Path('kp')), dict(version=3), dict(size=(240, 160))])
def test_any_option_of_a_part_can_be_recorded(prepare, walk, people, option):
    clip = prepare(walk, part_options=dict(poses=dict(type='StubPose', **option)))
    (name, value), = option.items()
    assert clip.manifest['made_by']['poses'][name] == {'path': 'kp', 'size': [240, 160]}.get(name, value)
    lazy = people.Pose()
    prepare(walk, lazy, part_options=dict(poses=dict(type='StubPose', **option)))
    assert lazy.calls == 0, 'known again'


@pytest.mark.parametrize('error', [FileNotFoundError(errno.ENOENT, 'No such file', 'offsets.npy'), MissingWeightsError('no weights')])
def test_a_file_that_a_part_lacks_is_not_told_as_a_clip_that_cannot_be_written(prepare, walk, error):
    def lacking(frames, poses):
        raise error

    with pytest.raises(type(error)) as told:
        prepare(walk, mask=lacking)
    assert told.value is error


@pytest.mark.parametrize('inside', ['.walk.partial/frames/000000.png', None])
def test_a_clip_that_cannot_be_written_is_told_as_one(prepare, walk, tmp_path, monkeypatch, inside):
    def fail(*arguments, **options):
        raise OSError(errno.EROFS, 'Read-only file system', inside and str(tmp_path / 'out' / inside))

    monkeypatch.setattr(module, 'ClipWriter', fail)
    with pytest.raises(InputError, match=r'out.walk: cannot be written \(Read-only file system\)'):
        prepare(walk)


@pytest.mark.parametrize('said', [dict(person=''), dict(action=''), dict(person='\udc80'), dict(person=None)])
def test_what_no_manifest_can_say_is_refused_before_any_work(prepare, walk, people, tmp_path, said):
    pose = people.Pose()
    with pytest.raises(InputError, match=f'{next(iter(said))} is .*expected a text that is not empty'):
        prepare(walk, pose, **said)
    assert pose.calls == 0 and not (tmp_path / 'out').exists()


def test_a_failure_after_the_clip_has_its_name_leaves_nothing_in_the_way(prepare, walk, monkeypatch, tmp_path):
    finish = module.ClipWriter.finish

    def fail(*arguments, **options):
        finish(*arguments, **options)
        raise InputError('too late')

    with monkeypatch.context() as patch:
        patch.setattr(module.ClipWriter, 'finish', fail)
        with pytest.raises(InputError, match='too late'):
            prepare(walk)
    assert [p.name for p in (tmp_path / 'out').iterdir()] == ['walk']
    assert len(prepare(walk, overwrite=True, person='ann')) == 40


def test_warnings_of_parts_are_heard_and_those_of_readers_are_in_the_report(prepare, people, small_chunks, tmp_path):
    class LoudMask(people.Mask):
        def __call__(self, frames, poses):
            warnings.warn('these masks are poor', stacklevel=2)
            return super().__call__(frames, poses)

    class LoudPose(people.Pose):
        def __call__(self, frames):
            warnings.warn('these poses are poor', stacklevel=2)
            return super().__call__(frames)

    whole = people.write(tmp_path / 'whole.mkv', [people.draw(240, 320, 160, 60, 40 + t % 3) for t in range(60)])
    path = tmp_path / 'cut.mkv'
    path.write_bytes(whole.read_bytes()[:whole.stat().st_size * 2 // 3])
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter('always')
        pose, mask = LoudPose(), LoudMask()
        clip = prepare(path, pose, mask)
    heard = [str(w.message) for w in heard]
    assert min(pose.calls, mask.calls) > 1 and len(heard) == pose.calls + mask.calls
    assert heard == ['these poses are poor'] * pose.calls + ['these masks are poor'] * mask.calls
    assert any('truncated' in w for w in clip.manifest['report']['warnings'])


def test_rate_stretch_and_number(prepare, walk, tmp_path):
    clip = prepare(walk, out=tmp_path / 'a', fps=10, start=.4, end=1.2)
    assert len(clip) == 8 and clip.fps == 10
    np.testing.assert_allclose(clip.array('times'), .4 + np.arange(8) / 10)
    assert len(prepare(walk, out=tmp_path / 'b', max_frames=7)) == 7


def test_a_start_beyond_the_end_is_refused_before_the_video_is_decoded(prepare, walk, tmp_path, monkeypatch):
    monkeypatch.setattr(module.Preparation, '_find_poses', lambda self: pytest.fail('decoded'))
    with pytest.raises(UnusableClipError, match=r'walk.mp4: lasts 1.6 s, so nothing is left from second 100 on; choose an earlier'):
        prepare(walk, out=tmp_path / 'c', start=100)


def test_an_interrupted_clip_of_another_video_leaves_no_sound(people, walk, tmp_path):
    """Making the clip of a loud video was interrupted at its end; then a silent one of the same name came."""
    loud = module.Preparation(walk, tmp_path / 'out', people.Pose(), people.Edges(), people.Mask(), PrepareSettings(**SIZE))
    (tmp_path / 'silent').mkdir()
    silent = people.write(tmp_path / 'silent' / 'walk.mp4', [people.draw(240, 320, 120 + t, 60, 40) for t in range(30)])

    def stopped(reader, times, fps, path):
        path.write_bytes(b'loud')
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, 'keep_sound', stopped)
        loud.run()
    clip = module.Preparation(silent, tmp_path / 'out', people.Pose(), people.Edges(), people.Mask(), PrepareSettings(**SIZE)).run()
    assert clip.manifest['source']['sound'] is None and not (clip.folder / SOUND_FILE).exists()


def test_empty_ends_are_left_out(prepare, people, tmp_path):
    empty, person = people.draw(96, 64, -99, 24, 16), people.draw(96, 64, 30, 24, 16)
    path = people.write(tmp_path / 'a.mp4', [empty] * 5 + [person] * 20 + [empty] * 3)
    clip = prepare(path)
    assert len(clip) == 20 and clip.manifest['source']['first_frame'] == 5 and (clip.poses[:, 1, 2] > 0).all()
    assert 'kept frames 5..24 of 28' in ' '.join(clip.manifest['report']['notes'])
    assert len(prepare(path, out=tmp_path / 'all', trim=False)) == 28


def test_unusable_videos(prepare, people, tmp_path):
    empty, person = people.draw(96, 64, -99, 24, 16), people.draw(96, 64, 30, 24, 16)
    for name, frames, message in (
            ('nobody', [empty] * 9, 'no person found in any of 9 frames'),
            ('rare', ([person] + [empty] * 3) * 4 + [person], r'found in 29% of frames 0\.\.16 only'),
            ('small', [people.draw(96, 64, 30, 24, 8)] * 5, 'only 3[0-9] pixels high')):
        path = people.write(tmp_path / f'{name}.mp4', frames)
        with pytest.raises(UnusableClipError, match=message):
            prepare(path)
        work = tmp_path / 'out' / f'.{name}.partial' / 'work'
        assert json.loads((work / 'failure.json').read_text())['name'] == name and list(work.glob('*.jpg'))
    assert find_clips(tmp_path / 'out') == []
    assert len(prepare(tmp_path / 'rare.mp4', min_presence=.2)) == 17


def test_two_people_leaving_and_cutting_are_warned_of(prepare, people, tmp_path):
    frames = [people.draw(120, 200, 60, 30, 20, others=[(140, 34, 16)]) for _ in range(20)]
    report = prepare(people.write(tmp_path / 'two.mp4', frames)).manifest['report']
    assert any('two or more people in 3 of 3' in w for w in report['warnings'])
    frames = [people.draw(120, 200, 60 - 4 * t, 30, 20) for t in range(10)] + [people.draw(120, 200, -99, 30, 20)] * 2
    frames += frames[::-1]
    report = prepare(people.write(tmp_path / 'leaves.mp4', frames)).manifest['report']
    assert any('not seen in 4 of 24 frames' in w for w in report['warnings'])
    frames = [people.draw(80, 60, 30, 30, 20)] * 10
    report = prepare(people.write(tmp_path / 'cut.mp4', frames)).manifest['report']
    assert report['cut_off']['bottom'] == 1 and any('cut off at the bottom' in n for n in report['notes'])


def test_a_cut_to_somebody_at_the_same_place_is_warned_of(prepare, people, tmp_path):
    one, other = people.draw(96, 64, 30, 24, 16), people.draw(96, 64, 31, 24, 16)
    frames = [one] * 15 + [np.where(other == 200, 200, 255 - other // 2).astype(np.uint8)] * 15
    frames[15:] = [np.where((other == people.draw(96, 64, -99, 24, 16)).all(-1, keepdims=True), 40, other).astype(np.uint8)] * 15
    report = prepare(people.write(tmp_path / 'cut.mp4', frames)).manifest['report']
    assert report['cuts'] == [15] and not report['switches']
    assert any('changes at once at frame 15' in w and '--start' in w for w in report['warnings'])


def test_a_truncated_video_is_used_and_noted(prepare, people, tmp_path):
    rng = np.random.default_rng(0)
    frames = [people.draw(96, 64, 30, 24, 16) ^ rng.integers(0, 8, (96, 64, 3), np.uint8) for _ in range(60)]
    whole = people.write(tmp_path / 'a.mkv', frames)
    (tmp_path / 'cut.mkv').write_bytes(whole.read_bytes()[:whole.stat().st_size // 2])
    clip = prepare(tmp_path / 'cut.mkv')
    assert 10 < len(clip) < 50 and 'truncated' in clip.manifest['report']['warnings'][0]


def test_folder_of_pictures(prepare, people, tmp_path):
    import cv2
    (tmp_path / 'pics').mkdir()
    for t in range(12):
        cv2.imwrite(str(tmp_path / 'pics' / f'{t}.png'), people.draw(96, 64, 30, 24, 16)[..., ::-1])
    clip = prepare(tmp_path / 'pics', fps=12)
    assert len(clip) == 12 and clip.fps == 12 and clip.name == 'pics'
    assert clip.manifest['source']['codec'] == 'pictures' and len(clip.manifest['report']['repeated']) == 11


def test_keypoint_files_stand_in_for_an_estimator(prepare, walk, stick, tmp_path):
    poses = np.stack([stick(120 + 2 * t, 60, 40) for t in range(40)])
    np.savez(tmp_path / 'poses.npz', poses=poses)
    clip = prepare(walk, KeypointFiles(tmp_path / 'poses.npz'), smooth=False)
    x, y, w, h = clip.manifest['source']['crop']
    np.testing.assert_allclose(clip.poses[:, 0, 0], (poses[:, 0, 0] - x + .5) * 64 / w - .5, rtol=1e-4)
    np.savez(tmp_path / 'poses.npz', poses=poses[:30])
    with pytest.raises(InputError, match='keypoints of 30 frames, but the video has 40'):
        prepare(walk, KeypointFiles(tmp_path / 'poses.npz'), out=tmp_path / 'b')


def test_keypoint_files_that_end_early_are_refused_before_any_decoding(prepare, walk, stick, tmp_path):
    for t in range(20):
        entry = dict(pose_keypoints_2d=stick(120 + 2 * t, 60, 40).ravel().tolist())
        (tmp_path / f'{t}.json').write_text(json.dumps(dict(people=[entry])))
    seen = []
    with pytest.raises(InputError, match='keypoints end at number 19'):
        prepare(walk, KeypointFiles(tmp_path), progress=lambda *state: seen.append(state))
    assert not seen
    assert len(prepare(walk, KeypointFiles(tmp_path), end=.8)) == 20


def test_keypoint_files_of_pictures_with_gaps(prepare, people, stick, tmp_path):
    import cv2
    folders = [tmp_path / name for name in ('pictures', 'keypoints')]
    for folder in folders:
        folder.mkdir()
    centers = {}
    for i, number in enumerate([7, 8, 9, 10, 13, 14, 15]):
        centers[i] = 90 + 4 * number
        cv2.imwrite(str(folders[0] / f'f{number}.png'), people.draw(240, 320, centers[i], 60, 40)[..., ::-1])
        entry = dict(pose_keypoints_2d=stick(centers[i], 60, 40).ravel().tolist())
        (folders[1] / f'f{number}_keypoints.json').write_text(json.dumps(dict(people=[entry])))
    np.save(tmp_path / 'poses.npy', np.stack([stick(x, 60, 40) for x in centers.values()]))
    shown = [90 + 4 * number for number in (7, 8, 9, 10, 10, 10, 13, 14, 15)]
    for out, path in (('a', folders[1]), ('b', tmp_path / 'poses.npy')):
        clip = prepare(folders[0], KeypointFiles(path), out=tmp_path / out, smooth=False)
        x, _, w, _ = clip.manifest['source']['crop']
        np.testing.assert_allclose((clip.poses[:, 1, 0] + .5) * w / 64 - .5 + x, shown, atol=1e-3)


def test_keypoint_files_that_changed_are_noticed(prepare, walk, stick, tmp_path):
    poses = np.stack([stick(120 + 2 * t, 60, 40) for t in range(40)])
    np.savez(tmp_path / 'poses.npz', poses=poses)
    clip = prepare(walk, KeypointFiles(tmp_path / 'poses.npz'))
    assert same(prepare(walk, KeypointFiles(tmp_path / 'poses.npz')), clip)
    np.savez(tmp_path / 'poses.npz', poses=poses + np.float32([9, 0, 0]))
    with pytest.raises(InputError, match='made before with other input.*poses was.*--overwrite'):
        prepare(walk, KeypointFiles(tmp_path / 'poses.npz'))


def test_keypoint_files_of_pixels_that_are_not_square_need_a_size(prepare, stick, people, tmp_path):
    path, poses = tmp_path / 'wide.mp4', np.stack([stick(60 + t, 60, 40) for t in range(10)])
    with av.open(str(path), 'w') as container:
        stream = container.add_stream('libx264', rate=25)
        stream.height, stream.width, stream.pix_fmt = 240, 160, 'yuv444p'
        stream.codec_context.sample_aspect_ratio = 2
        for t in range(10):
            frame = people.draw(240, 320, 120 + 2 * t, 60, 40)[:, ::2].copy()
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format='rgb24')))
        container.mux(stream.encode(None))
    np.savez(tmp_path / 'poses.npz', poses=poses)
    seen = []
    with pytest.raises(InputError, match=r"npz.*160x240 as they are stored.*320x240 as.*'size=\(240, 160\)'.*'size=\(240, 320\)'"):
        prepare(path, KeypointFiles(tmp_path / 'poses.npz'), progress=lambda *state: seen.append(state))
    assert not seen
    clip = prepare(path, KeypointFiles(tmp_path / 'poses.npz', size=(240, 160)), smooth=False)
    x, _, w, _ = clip.manifest['source']['crop']
    np.testing.assert_allclose((clip.poses[:, 1, 0] + .5) * w / 64 - .5 + x, (poses[:, 1, 0] + .5) * 2 - .5, atol=1e-3)
    np.savez(tmp_path / 'poses.npz', poses=poses / np.float32([160, 240, 1]))
    assert len(prepare(path, KeypointFiles(tmp_path / 'poses.npz'), out=tmp_path / 'b')) == 10, 'fractions fit any size'


@pytest.mark.parametrize('options', [dict(end=.8), dict(start=.4, end=1.2, fps=10), dict(start=.6), dict(fps=50), dict(max_frames=9)])
def test_keypoint_files_are_of_source_frames(prepare, walk, stick, tmp_path, options):
    for t in range(40):
        entry = dict(pose_keypoints_2d=stick(120 + 2 * t, 60, 40).ravel().tolist())
        (tmp_path / f'frame{t}_keypoints.json').write_text(json.dumps(dict(people=[entry])))
    clip = prepare(walk, KeypointFiles(tmp_path), smooth=False, **options)
    x, _, w, _ = clip.manifest['source']['crop']
    shown = np.floor(clip.array('times') * 25 + 1e-3).clip(max=39)
    found = (clip.poses[:, 1, 0] + .5) * w / 64 - .5 + x
    np.testing.assert_allclose(found, 120 + 2 * shown, atol=1e-3)


def test_a_full_disk_is_named_and_the_run_goes_on_later(prepare, walk, people, monkeypatch, tmp_path):
    real, count = files.os.replace, [0]

    def full(source, target):
        count[0] += 1
        if count[0] > 60:
            raise OSError(errno.ENOSPC, 'No space left on device')
        real(source, target)

    monkeypatch.setattr(files.os, 'replace', full)
    with pytest.raises(InputError, match='the disk is full.*same command again'):
        prepare(walk)
    monkeypatch.undo()
    pose = people.Pose()
    clip = prepare(walk, pose)
    assert len(clip) == 40 and pose.frames == 0


def test_settings_are_checked():
    with pytest.raises(InputError, match="frame_format must be one of .*'webp'"):
        PrepareSettings(frame_format='webp')
    with pytest.raises(InputError, match='multiples of 32.*heights 352 or 384, widths 256'):
        PrepareSettings(height=360, width=256)
    nan, inf = float('nan'), float('inf')
    for bad in (dict(fps=0), dict(fps=nan), dict(fps=inf), dict(fps=-1.), dict(start=nan), dict(start=-1.), dict(end=nan),
                dict(end=inf), dict(start=3, end=2), dict(max_frames=0), dict(max_frames=-3), dict(min_presence=nan),
                dict(min_person=nan), dict(crop='face'), dict(crop=(0, 0, 64)), dict(crop=(0., 0, 64, 96)),
                dict(crop=tuple(np.array([0, 0, 64, 96])))):
        with pytest.raises(InputError, match=next(reversed(bad))):
            PrepareSettings(**bad)


def test_clip_names_are_told_apart(tmp_path):
    assert clip_names(['x/a.mp4', 'y/a.mov', 'y/b c.mp4']) == ['x_a', 'y_a', 'b_c']
    with pytest.raises(InputError, match=r"clip 'x_a': x/a.mp4, x/a.mov"):
        clip_names(['x/a.mp4', 'x/a.mov'])


def test_an_unwritable_output_is_found_before_any_work(prepare, walk, people, tmp_path):
    (tmp_path / 'file').touch()
    pose = people.Pose()
    with pytest.raises(InputError, match='cannot be written'):
        prepare(walk, pose, out=tmp_path / 'file')
    assert pose.calls == 0
    assert isinstance(prepare(walk, pose), Clip)
