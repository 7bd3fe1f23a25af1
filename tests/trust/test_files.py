"""Files of strangers, damaged in every way: they are read or refused in one line, in little time and memory, and nothing else changes.

``make trust`` tries more of them.
"""

import io
import json
import os
import shutil
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.trust.garbage import JUNK, damaged, examples, places, read_or_refused, replaced, seeds, snapshot
from toolkit import apis
from toolkit.clips.clip import Clip
from toolkit.datasets.windows import ClipWindows
from toolkit.engine.config import check_config
from toolkit.engine.export import read_results
from toolkit.metrics.result_cache import ResultCache
from toolkit.poses.keypoint_files import KeypointFiles
from toolkit.preparing.report import write_report
from toolkit.registry import MODELS
from toolkit.synthetic.actions import SyntheticActions
from toolkit.video.io import read_video
from toolkit.weights import read_checkpoint, write_weights

SIZE = 32
POSE = [value for i in range(17) for value in (10 + 3 * i, 20 + 4 * i, 1)]
MODEL = dict(
    type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=2, n_down=1, n_blocks=1),
    discriminator=dict(type='MultiscaleDiscriminator', ndf=2, n_layers=1, num_scales=1),
    losses=dict(gan=dict(type='GANLoss', weight=1.0), l1=dict(type='L1Loss', weight=1.0)),
    feature_maps=dict(pose_channels='rendered', edge_channel='warped'), window=2, v0='zeros', ema=0.9)
CONFIG = dict(
    model=MODEL, optim_wrapper=dict(
        g=dict(networks=['net_g'], optimizer=dict(type='Adam', lr=1e-4, betas=(0.5, 0.999))),
        d=dict(networks=['net_d'], optimizer=dict(type='Adam', lr=1e-4))),
    train_dataloader=dict(batch_size=1, num_workers=0, dataset=dict(type='ClipWindows', root='data', window=2, size=(64, 64))),
    train_cfg=dict(type='IterLoop', max_iters=2), randomness=dict(seed=0), default_hooks=dict(logger=dict(type='ScalarLogger')))


@pytest.fixture(scope='module')
def clip(tmp_path_factory) -> Path:
    """A prepared clip of two frames, with a report."""
    root = tmp_path_factory.mktemp('clips')
    SyntheticActions(height=SIZE, width=SIZE, actors=1, actions=16, frames=2).write(
        root, actors=[0], actions=[0], num_workers=1, progress=False)
    folder = next(root.rglob('manifest.json')).parent
    manifest = json.loads((folder / 'manifest.json').read_text())
    manifest['source'] = dict(file='a.mp4', width=9, height=9, codec='h264', fps=25.0, crop=[0, 0, 9, 9], sound=None)
    manifest['report'] = dict(
        verdict='ok', presence=1.0, person_height=9.0, several_people=[], people_counted_in=2, jitter=0.1, jitter_cleaned=0.1, scale=1,
        warnings=['w'], notes=[], switches=[], swaps=[], dropped=[], cuts=[0])
    (folder / 'manifest.json').write_text(json.dumps(manifest))
    with np.load(folder / 'poses.npz') as arrays:
        np.savez(folder / 'poses.npz', poses=arrays['poses'], raw=arrays['poses'])
    return folder


@pytest.fixture
def place(tmp_path) -> Path:
    """A folder for what strangers give, beside files of mine, to which links in it lead."""
    for name in ('thesis.tex', 'empty.tex'):
        (tmp_path / name).write_text(name[:6] * 9 if name[0] == 't' else '')
    given = tmp_path / 'given'
    given.mkdir()
    for name in ('.report.lock', 'r.json.partial.1', '.x.partial/work/failure.json', '.x.partial/work/poses_00000.jpg'):
        (given / name).parent.mkdir(parents=True, exist_ok=True)
    (given / '.x.partial/work/poses_00000.jpg').symlink_to(tmp_path / 'thesis.tex')
    before = {name: text for name, text in snapshot(tmp_path).items() if not name.startswith('given')}
    yield given
    assert {name: text for name, text in snapshot(tmp_path).items() if not name.startswith('given')} == before


def use(folder: Path) -> None:
    """All that reads a prepared clip."""
    clip = Clip(folder)
    clip.check_whole()
    for t in range(min(len(clip), 2)):
        clip.frame(t), clip.mask(t), clip.edge(t), clip.parts(t)
    assert np.isfinite(clip.poses).all() and clip.fps > 0
    ClipWindows(root=str(folder), window=2, split=None)[0]


def report_and_use(folder: Path) -> None:
    """A report is written, whatever is in the clip."""
    write_report(folder.parent)
    use(folder)


@pytest.fixture(scope='module')
def stranger(clip, tmp_path_factory) -> Path:
    """A copy of the clip to be damaged."""
    return Path(shutil.copytree(clip, tmp_path_factory.mktemp('given') / 'clip'))


@examples(40)
@given(data=st.data())
def test_manifests(stranger, clip, data):
    content = json.loads((clip / 'manifest.json').read_text())
    at, value = data.draw(st.sampled_from(places(content))), data.draw(JUNK)
    (stranger / 'manifest.json').write_text(json.dumps(replaced(content, at, value)))
    read_or_refused(report_and_use, stranger, (at, value), named='clip')


@pytest.mark.parametrize('name', ['manifest.json', 'poses.npz', 'frames/000000', 'masks/000000', 'parts/000001'])
def test_bytes_of_clips(stranger, clip, name):
    shutil.copytree(clip, stranger, dirs_exist_ok=True)
    file = next(clip.glob(f'{name}*'))
    good = file.read_bytes()
    for seed in seeds(20):
        (stranger / file.relative_to(clip)).write_bytes(damaged(good, seed))
        read_or_refused(use, stranger, seed, named='clip')
    (stranger / file.relative_to(clip)).write_bytes(good)
    use(stranger)


def poses_of(path: Path):
    found = KeypointFiles(path).people_of_frames(range(3), (100, 80), 3)
    assert all(np.isfinite(person.pose).all() for people in found for person in people)


COCO = [dict(image_id=t, keypoints=POSE, score=1.0) for t in range(3)]
MMPOSE = [dict(frame_id=t, instances=[dict(keypoints=[[1, 2]] * 17, keypoint_scores=[1] * 17)]) for t in range(3)]
KEYPOINTS = [
    COCO, dict(annotations=COCO, images=[dict(id=t, file_name=f'{t}.png') for t in range(3)]), MMPOSE,
    [dict(image_id=f'{t}.jpg', keypoints=POSE, idx=t) for t in range(3)],
    [dict(people=[dict(pose_keypoints_2d=[1, 2, 1] * 18)], canvas_width=9, canvas_height=9) for t in range(3)],
    {f'{t}.jpg': dict(version='AlphaPose v0.3', bodies=[dict(joints=[1, 2, 1] * 18)]) for t in range(3)},
    dict(meta_info=dict(keypoint_id2name={'0': 'nose'}), instance_info=MMPOSE),
    [dict(predictions=[[dict(keypoints=POSE)]]) for t in range(3)]]


@examples(120)
@given(data=st.data())
def test_keypoints(tmp_path_factory, data):
    content = data.draw(st.sampled_from(KEYPOINTS))
    at, value = data.draw(st.sampled_from(places(content))), data.draw(JUNK)
    path = tmp_path_factory.getbasetemp() / 'poses.json'
    path.write_text(json.dumps(replaced(content, at, value)))
    read_or_refused(poses_of, path, (at, value), named='poses.json')


@pytest.mark.parametrize('kind', ['json', 'npz', 'npy'])
def test_bytes_of_keypoints(place, kind):
    path, array = place / f'poses.{kind}', np.ones((3, 18, 3), np.float32)
    if kind == 'json':
        path.write_text(json.dumps(KEYPOINTS[0]))
    elif kind == 'npz':
        np.savez_compressed(path, poses=array)
    else:
        np.save(path, array)
    good = path.read_bytes()
    poses_of(path)
    for seed in seeds(60):
        path.write_bytes(damaged(good, seed))
        read_or_refused(poses_of, path, seed, named=path.name)


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return MODELS.build(MODEL).state_dict()


def whole(weights) -> dict:
    return dict(meta=dict(config=dict(CONFIG), iter=2, seed=0), state_dict=dict(weights))


def load(path: Path):
    trained = apis.load(path, device='cpu')
    assert all(torch.isfinite(value).all() for value in trained.model.state_dict().values() if value.is_floating_point())


@pytest.fixture(scope='module')
def weights():
    return state()


TENSORS = (
    torch.zeros(3), torch.tensor(float('nan')), torch.zeros(1).expand(2**36), torch.zeros(2, 3).to_sparse(),
    torch.zeros(4, device='meta'), torch.zeros(3, dtype=torch.int64), torch.zeros(3, dtype=torch.complex64))


@examples(20)
@given(data=st.data())
def test_contents_of_checkpoints(tmp_path_factory, weights, data):
    content = whole(weights)
    at = data.draw(st.sampled_from(places(content)))
    value = data.draw(JUNK | st.sampled_from(TENSORS))
    path = tmp_path_factory.getbasetemp() / 'model.pth'
    torch.save(replaced(content, at, value), path)
    read_or_refused(load, path, (at, str(value)[:80]))


@pytest.mark.parametrize('legacy', [False, True])
def test_bytes_of_checkpoints(place, weights, legacy):
    path, parts = place / 'model.pth', whole(dict(list(weights.items())[:4]))
    torch.save(parts, path, _use_new_zipfile_serialization=not legacy)
    good = path.read_bytes()
    read_checkpoint(path)
    for seed in seeds(80):
        path.write_bytes(damaged(good, seed))
        read_or_refused(read_checkpoint, path, seed, named='model.pth')


def test_bytes_and_headers_of_safetensors(place, weights):
    path = place / 'model.safetensors'
    write_weights(path, dict(list(weights.items())[:4]), dict(config=dict(CONFIG)))
    good = path.read_bytes()
    read_checkpoint(path)
    length = struct.unpack('<Q', good[:8])[0]
    for seed in seeds(120):
        header = damaged(good[8:8 + length], seed)
        path.write_bytes(damaged(good, seed) if seed % 2 else struct.pack('<Q', len(header)) + header + good[8 + length:])
        read_or_refused(read_checkpoint, path, seed, named='model.safetensors')


def test_data_that_hold_the_same_list_again_and_again_are_refused(place, weights):
    nested = ['x', 'x']
    for _ in range(40):
        nested = [nested, nested]
    endless = []
    endless.append(endless)
    for value in (nested, endless):
        torch.save(dict(whole(weights), extra=value), place / 'model.pth')
        assert read_or_refused(read_checkpoint, place / 'model.pth', named='nested') is None


def frames_of(path: Path) -> int:
    count = 0
    for frame, time in read_video(path):
        assert frame.dtype == np.uint8 and np.isfinite(time)
        count += 1
        assert count <= 2000, 'more frames than a file of this size can hold'
    return count


def write_video(path: Path, codec: str) -> None:
    with av.open(str(path), 'w') as out:
        stream = out.add_stream(codec, rate=25)
        stream.width = stream.height = SIZE
        stream.pix_fmt = 'yuv420p'
        for t in range(5):
            picture = np.random.default_rng(t).integers(0, 255, (SIZE, SIZE, 3), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')):
                out.mux(packet)
        for packet in stream.encode(None):
            out.mux(packet)


@pytest.mark.parametrize('name, codec', [('a.mp4', 'libx264'), ('a.mkv', 'mpeg4'), ('a.avi', 'mpeg4'), ('a.ts', 'mpeg2video')])
def test_videos(place, name, codec):
    path = place / name
    write_video(path, codec)
    good = path.read_bytes()
    assert frames_of(path) == 5
    for seed in seeds(24):
        path.write_bytes(damaged(good, seed))
        read_or_refused(frames_of, path, seed, named=name)


@pytest.mark.parametrize('suffix', ['png', 'jpg', 'gif', 'webp', 'tif', 'bmp', 'ppm', 'apng'])
def test_pictures(place, suffix):
    path = place / f'a.{suffix}'
    pictures = [Image.fromarray(np.random.default_rng(i).integers(0, 255, (SIZE, SIZE, 3), np.uint8)) for i in range(3)]
    many = dict(save_all=True, append_images=pictures[1:]) if suffix in ('gif', 'webp', 'apng') else {}
    pictures[0].save(path, format='PNG' if suffix == 'apng' else None, **many)
    good = path.read_bytes()
    assert frames_of(path) == (3 if many else 1)
    for seed in seeds(30):
        path.write_bytes(damaged(good, seed))
        read_or_refused(frames_of, path, seed, named=path.name)


@examples(40)
@given(lines=st.lists(st.one_of(
    JUNK.map(lambda value: json.dumps(value)), JUNK.map(lambda value: json.dumps(dict(key='k', index=0, results=value))),
    JUNK.map(lambda value: json.dumps(dict(key='k', index=value, results={}))), st.text(max_size=20)), max_size=3))
def test_stored_results(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / 'results.json.partial'
    path.write_bytes('\n'.join(lines).encode('utf-8', 'surrogatepass'))

    def read(path):
        assert all(isinstance(key, int) and isinstance(value, dict) for key, value in ResultCache(path, 'k').load().items())

    read_or_refused(read, path, lines, named='results.json.partial')


@examples(60)
@given(data=st.data())
def test_values_of_configs(data):
    at, value = data.draw(st.sampled_from(places(CONFIG)[1:])), data.draw(JUNK)
    read_or_refused(lambda path: check_config(replaced(CONFIG, at, value)), Path('config'), (at, value))


def test_nothing_is_read_through_a_pipe_or_written_through_a_link(place, clip, weights):
    copy = Path(shutil.copytree(clip, place / 'clip'))
    for name in ('manifest.json', 'poses.npz', *(str(p.relative_to(clip)) for p in clip.glob('*/000000.*'))):
        (copy / name).unlink()
        os.mkfifo(copy / name)
        read_or_refused(use, copy, name, named='clip')
        read_or_refused(write_report, place, name)
        (copy / name).unlink()
        shutil.copy(clip / name, copy / name)
    for name in ('model.pth', 'model.safetensors', 'poses.json', 'a.png', 'a.mp4', 'last_checkpoint'):
        os.mkfifo(place / name)
    for read, name in ((read_checkpoint, 'model.pth'), (read_checkpoint, 'model.safetensors'), (KeypointFiles, 'poses.json'),
                       (read_video, 'a.png'), (read_video, 'a.mp4'), (read_checkpoint, '')):
        assert read_or_refused(read, place / name, name, named=name) is None
    for name in ('thesis.tex', 'empty.tex'):
        path = place / f'{name}.partial'
        path.symlink_to(place.parent / name)
        read_or_refused(lambda path: ResultCache(path, 'k').add(0, {}), path, name, named='not a regular file')


def test_huge_claims_cost_nothing(place, clip):
    copy = Path(shutil.copytree(clip, place / 'clip'))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, dict(descr='<f4', fortran_order=False, shape=(2**34, 18, 3)))
    (place / 'poses.npy').write_bytes(header.getvalue())
    read_or_refused(poses_of, place / 'poses.npy', named='poses.npy')
    np.savez(copy / 'poses.npz', **{f'a{i}': np.zeros(1) for i in range(1200)})
    assert read_or_refused(use, copy, named='holds 1200 arrays') is None
    Image.new('P', (8, 8)).save(place / 'a.gif', save_all=True, append_images=[Image.new('P', (8, 8), 1)])
    data = bytearray((place / 'a.gif').read_bytes())
    data[6:10] = struct.pack('<HH', 11000, 11000)
    (place / 'a.gif').write_bytes(data)
    assert read_or_refused(frames_of, place / 'a.gif', named='11000x11000') is None


def test_published_results(place):
    good = dict(about=dict(checkpoint_sha256='0'), metrics={'ssim': dict(value=1.0)})
    (place / 'model.pth').write_bytes(b'x')
    for at in places(good):
        for value in (5, None, [], 'x'):
            (place / 'r.json').write_text(json.dumps(replaced(good, at, value)))
            read_or_refused(lambda path: read_results(path, place / 'model.pth'), place / 'r.json', (at, value), named='r.json')
