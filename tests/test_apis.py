"""A user's own program: a picture and a video in, a video out."""

import shutil
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from toolkit import apis
from toolkit.clips.clip import Clip
from toolkit.clips.folder import SOUND_FILE
from toolkit.registry import MODELS
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions
from toolkit.video.io import VideoReader, VideoWriter

SIZE = (96, 64)
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='module')
def actions():
    return SyntheticActions(actors=13, actions=16, frames=100)


@pytest.fixture
def trained():
    torch.manual_seed(0)
    model = dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=1),
        losses=dict(gan=dict(type='GANLoss')))
    return apis.Trained(MODELS.build(model).eval(), Config(dict(model=model)), SIZE)


def test_a_picture_moves_like_a_video(trained, actions, tmp_path):
    pytest.importorskip('mediapipe', reason='needs MediaPipe to find the pose in a picture')
    cv2.imwrite(str(tmp_path / 'me.png'), actions.render(0, 0, 0).frame[..., ::-1])
    with VideoWriter(tmp_path / 'dancer.mp4', 25) as video:
        for t in range(40, 46):
            video.write(actions.render(4, 'jumping_jack', t).frame)
    trained.size = (104, 72)
    out = apis.generate(trained, tmp_path / 'me.png', tmp_path / 'dancer.mp4', tmp_path / 'out.mp4', side_by_side=True, progress=False)
    frames = [frame for frame, _ in VideoReader(out)]
    assert len(frames) == 6 and frames[0].shape == (104, 3 * 72, 3)
    prepared = {p.name.rpartition('-')[0] for p in (tmp_path / 'out.prepared').iterdir()}
    assert prepared == {'me', 'dancer'}


def test_retargeting_is_for_different_persons(clips):
    one, other = clips
    np.testing.assert_array_equal(apis.driving_poses(one, one, SIZE), one.poses)
    np.testing.assert_array_equal(apis.driving_poses(one, other, SIZE, 'off'), one.poses)
    moved = apis.driving_poses(one, other, SIZE)
    height = {name: np.ptp(poses[0, :, 1]) for name, poses in dict(source=one.poses, target=other.poses, moved=moved).items()}
    assert abs(height['moved'] - height['target']) < abs(height['source'] - height['target'])
    with pytest.raises(InputError, match='retarget'):
        apis.driving_poses(one, other, SIZE, 'maybe')


def test_clips_of_nobody_named_are_not_one_person(clips):
    one, other = Clip(clips[0].folder), Clip(clips[1].folder)
    said = []
    for persons, sources, fitted, why in (
            (('person', 'person'), ('a', 'b'), True, '--person NAME'), (('ann', 'person'), ('a', 'b'), True, '--person NAME'),
            (('ann', 'bob'), ('a', 'b'), True, "'ann' and the content clip 'bob'"), (('ann', 'ann'), ('a', 'b'), False, "show 'ann'"),
            (('person', 'person'), ('a', 'a'), False, 'same video'), (('person', 'person'), (None, None), True, '--person NAME')):
        one.person, other.person = persons
        one.manifest['source'], other.manifest['source'] = (dict(sha256=sha, crop=[0, 0, 64, 96]) if sha else {} for sha in sources)
        poses = apis.driving_poses(one, other, SIZE, 'auto', said.append)
        assert np.array_equal(poses, one.poses) != fitted and why in said[-1] and said[-1].startswith(
            f'poses fitted to {other.name} because' if fitted else f'poses not fitted to {other.name} because')
    apis.driving_poses(one, other, SIZE, 'off', said.append)
    assert 'asked for' in said[-1]


def test_a_content_frame_without_a_person_is_refused(trained, clips):
    clip = Clip(clips[0].folder)
    poses = clip.poses.copy()
    poses[0] = 0
    np.savez(clip.folder / 'poses.npz', poses=poses)
    with pytest.raises(InputError, match='frame 0.*another content frame'):
        apis.stream(trained, clip, clip.poses, SIZE, content_frame=0)
    assert next(iter(apis.stream(trained, clip, clip.poses, SIZE, content_frame=1))).shape == (*SIZE, 3)


def test_frames_are_those_of_the_poses_order(trained, clips):
    """Generating a video backwards gives another first frame: poses are taken in their order, none is skipped."""
    poses = clips[1].poses
    forward = list(apis.stream(trained, clips[1], poses, SIZE))
    backward = list(apis.stream(trained, clips[1], poses[::-1], SIZE))
    assert len(forward) == len(backward) == len(poses)
    assert (forward[0] != backward[0]).any()


@pytest.mark.parametrize('audio', [True, False])
def test_the_sound_of_the_driving_clip_goes_into_the_result(trained, clips, tmp_path, audio):
    content, driving = clips[0].folder, tmp_path / 'driving'
    shutil.copytree(clips[1].folder, driving)
    with av.open(str(driving / SOUND_FILE), 'w', format='matroska') as container:
        stream = container.add_stream('aac', rate=16000, layout='mono')
        for i in range(10):
            frame = av.AudioFrame.from_ndarray(np.full((1, 1024), .1 * (-1) ** i, np.float32), format='fltp', layout='mono')
            frame.sample_rate, frame.pts, frame.time_base = 16000, 1024 * i, Fraction(1, 16000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    out = apis.generate(trained, content, driving, tmp_path / 'out.mp4', content_frame=1, max_frames=3, progress=False, audio=audio)
    with av.open(str(out)) as container:
        assert len(container.streams.audio) == audio and container.streams.video[0].frames == 3


@pytest.mark.parametrize('call', [apis.finetune, apis.distill])
def test_one_video_in_the_place_of_a_list_is_refused(call, tmp_path):
    with pytest.raises(InputError, match=r"videos: expected a list, got 'me.mp4'; give \['me.mp4'\] for that one"):
        call('me.mp4', tmp_path / 'run')
    assert not any(tmp_path.iterdir())


def test_clips_of_an_earlier_call_are_not_trained_on_without_a_word(clips, tmp_path, monkeypatch):
    """Two work dirs of one name share a folder of prepared clips, and so do two calls with other videos."""
    said, data = [], clips[0].folder.parent
    runner = SimpleNamespace(logger=SimpleNamespace(warning=said.append), train=lambda: None)
    monkeypatch.setattr(apis, 'VideoBatch', lambda *given, **named: SimpleNamespace(run=lambda: 0))
    monkeypatch.setattr(apis, 'build_runner', lambda *given, **named: runner)
    monkeypatch.setattr(apis, 'checkpoint_file', lambda work_dir: work_dir)
    names = [clip.key for clip in apis.find_clips(data)]
    apis.finetune([f'{name}.mp4' for name in names], tmp_path / 'run', data)
    apis.finetune([], tmp_path / 'run', data)
    assert not said
    apis.finetune([f'{names[0]}.mp4'], tmp_path / 'run', data)
    assert len(said) == 1 and f'trains on {", ".join(names[1:])} in {data} as well' in said[0]


def test_a_checkpoint_tells_the_size_that_was_left_to_the_clips(clips, tmp_path):
    root = clips[0].folder.parent
    options = [f'data.root={root}', 'data.pixels=2048', 'train_dataloader.dataset.exclude=None',
               'train_cfg.max_iters=1', 'custom_hooks=[]', 'model.losses.perceptual.weight=0.0', 'model.generator.ngf=4',
               'model.discriminator.ndf=4']
    work_dir = apis.train(ROOT / 'configs' / 'own' / 'video.py', tmp_path / 'run', cfg_options=options)
    assert apis.load(work_dir).size == (48, 32)
