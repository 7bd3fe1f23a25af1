"""Recordings for the viewer hold what clips and runs hold: read back from the file."""

import json
import sys

import cv2
import numpy as np
import pytest

from toolkit.analysis.recording import Recording, choose_clips, is_run, rerun
from toolkit.clips.clip import find_clips
from toolkit.datasets.scene import still_scene
from toolkit.skeletons import JOINTS, PARTS
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions

NEEDS = "needs rerun-sdk: pip install 'human-video-toolkit[view]'"
FRAMES, GAP = 18, 6


@pytest.fixture(scope='module')
def footage(tmp_path_factory):
    """One clip of somebody, long enough to have references."""
    root = tmp_path_factory.mktemp('footage')
    SyntheticActions(height=96, width=64, actors=13, actions=16, frames=FRAMES).write(
        root, actors=[3], actions=[1], num_workers=1, progress=False)
    return root


@pytest.fixture
def run(tmp_path):
    """The work dir of a training: a log, two sheets, the config."""
    folder = tmp_path / 'mine'
    log = folder / '20260101_000000' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    rows = [{'g.lr': 1e-3 / t, 'time': .5, 'data_time': .1, 'g/gan': 10 - t, 'step': 10 * t} for t in range(1, 4)]
    log.write_text('\n'.join(map(json.dumps, [*rows, {'lpips/crop': .2, 'step': 20}])))
    for iteration in (0, 30):
        sheet = folder / 'vis' / f'{iteration:07d}_people' / 'a_kick.png'
        sheet.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(sheet), np.full((8, 12, 3), iteration, np.uint8))
    (folder / 'vis' / '0000000_x.mp4').write_bytes(b'')
    (folder / 'mine.py').write_text('seed = 3\n')
    return folder


def read(file):
    """{entity: {time or component: [values of its rows]}} of a recording."""
    from rerun.chunk import RrdReader
    found = {}
    for chunk in RrdReader(str(file)).stream().to_chunks():
        batch = chunk.to_record_batch()
        columns = found.setdefault(str(chunk.entity_path), {})
        for name in batch.schema.names:
            columns.setdefault(name, []).extend(batch.column(name).to_pylist())
    return found


def decoded(blob):
    return cv2.imdecode(np.asarray(blob[0], np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_clip_is_recorded_as_it_is(footage, tmp_path):
    pytest.importorskip('rerun', reason=NEEDS)
    clip, = find_clips(footage)
    recording = Recording('clip')
    recording.add_clips([clip], max_frames=16)
    recording.save(tmp_path / 'a.rrd')
    assert [path.name for path in tmp_path.iterdir()] == ['a.rrd'], 'no temporary file is left'
    found, root = read(tmp_path / 'a.rrd'), f'/{clip.key}'
    frames = found[f'{root}/video/frame']
    assert frames['frame'] == list(range(16))
    shown = [cv2.cvtColor(decoded(blob), cv2.COLOR_BGR2RGB) for blob in frames['EncodedImage:blob']]
    assert np.abs(np.int16(shown) - clip.frames(range(16))).mean() < 3
    points = found[f'{root}/video/keypoints']
    for t in range(16):
        seen = np.flatnonzero(clip.poses[t, :, 2] >= .1)
        assert points['Points2D:keypoint_ids'][t] == seen.tolist()
        assert np.allclose(points['Points2D:positions'][t], clip.poses[t, seen, :2] + .5)
    ((context,),), = found[f'{root}/video']['AnnotationContext:context']
    joints = context['class_description']
    assert [one['label'] for one in joints['keypoint_annotations']] == list(JOINTS) and len(joints['keypoint_connections']) == 17
    labels = next(row for row in found[f'{root}/parts']['AnnotationContext:context'] if row)[0]
    assert [one['class_description']['info']['label'] for one in labels] == ['scene', *PARTS]
    parts = [row for row in found[f'{root}/parts']['SegmentationImage:buffer'] if row]
    assert np.array_equal(np.asarray(parts[5][0], np.uint8).reshape(96, 64), clip.parts(5))
    mask = decoded(found[f'{root}/mask']['EncodedImage:blob'][7])
    assert np.abs(np.int16(mask) - clip.mask_u8(7)).mean() < 4
    scene = decoded(found[f'{root}/scene']['EncodedImage:blob'][0])
    assert np.abs(np.int16(cv2.cvtColor(scene, cv2.COLOR_BGR2RGB)) - still_scene(clip, range(FRAMES))).mean() < 3
    wrist = found[f'{root}/confidence/right_wrist']['Scalars:scalars']
    assert np.allclose(np.ravel(wrist), clip.poses[:16, JOINTS.index('right_wrist'), 2])


def test_references_are_those_that_training_may_take(footage, tmp_path):
    pytest.importorskip('rerun', reason=NEEDS)
    clip, = find_clips(footage)
    recording = Recording('clip')
    recording.add_clips([clip])
    recording.save(tmp_path / 'a.rrd')
    found = read(tmp_path / 'a.rrd')
    for number in (1, 2):
        near = found[f'/{clip.key}/references/{number}/keypoints']
        assert near['frame'][0] == 0
        for t, positions in zip(near['frame'], near['Points2D:positions']):
            taken = [u for u in range(FRAMES) if len(positions) == (clip.poses[u, :, 2] >= .1).sum()
                     and np.allclose(positions, clip.poses[u, clip.poses[u, :, 2] >= .1, :2] + .5)]
            assert taken and all(abs(u - t) > GAP for u in taken)
        assert len(found[f'/{clip.key}/reference_cost/{number}']['Scalars:scalars']) == FRAMES
    assert not any(path.startswith(f'/{clip.key}/references/3') for path in found)


def test_a_short_clip_has_no_references_and_is_shown(clips, tmp_path):
    pytest.importorskip('rerun', reason=NEEDS)
    recording = Recording('clips')
    recording.add_clips(clips)
    recording.save(tmp_path / 'a.rrd')
    found = read(tmp_path / 'a.rrd')
    assert all(found[f'/{clip.key}/video/frame']['frame'] == [0, 1, 2, 3] for clip in clips)
    assert not any('reference_cost' in path for path in found)


def test_a_run_is_recorded_as_it_logged(run, tmp_path):
    pytest.importorskip('rerun', reason=NEEDS)
    recording = Recording('run')
    recording.add_run(run)
    recording.save(tmp_path / 'a.rrd')
    found = read(tmp_path / 'a.rrd')
    gan = found['/curves/g/gan']
    assert gan['iteration'] == [10, 20, 30] and np.ravel(gan['Scalars:scalars']).tolist() == [9, 8, 7]
    assert np.allclose(np.ravel(found['/rates/g.lr']['Scalars:scalars']), [1e-3, 5e-4, 1e-3 / 3])
    assert found['/curves/lpips/crop']['iteration'] == [20] and np.allclose(np.ravel(found['/costs/time']['Scalars:scalars']), .5)
    sheets = found['/generated/people/a_kick']
    assert sheets['iteration'] == [0, 30] and decoded(sheets['EncodedImage:blob'][1]).max() == 30
    assert found['/config']['TextDocument:text'] == [['seed = 3\n']]


def test_memory_has_a_chart_of_its_own_beside_seconds(run, tmp_path):
    pytest.importorskip('rerun', reason=NEEDS)
    log, = run.glob('*/vis_data/scalars.json')
    log.write_text('\n'.join(json.dumps({'time': .5, 'memory': 9000, 'step': step}) for step in (10, 20)))
    recording = Recording('run')
    recording.add_run(run)
    recording.save(tmp_path / 'a.rrd')
    found = read(tmp_path / 'a.rrd')
    assert [path for path in found if path.startswith('/costs')] == ['/costs/time']
    assert np.ravel(found['/memory/MB']['Scalars:scalars']).tolist() == [9000, 9000]


def test_references_of_a_chosen_clip_come_from_all_clips_of_the_person(tmp_path, load_tool):
    pytest.importorskip('rerun', reason=NEEDS)
    SyntheticActions(height=96, width=64, actors=13, actions=16, frames=4).write(
        tmp_path / 'clips', actors=[3, 4], actions=[1, 2], num_workers=1, progress=False)
    clips = find_clips(tmp_path / 'clips')
    chosen = clips[0]
    with pytest.raises(SystemExit) as end:
        load_tool('view').main([str(tmp_path / 'clips'), '--clips', chosen.key, chosen.key, '--out', str(tmp_path / 'a.rrd')])
    assert end.value.code == 0
    found = read(tmp_path / 'a.rrd')
    assert {path.split('/')[1] for path in found if 'video' in path} == {chosen.key.split('/')[0]}
    same = [clip for clip in clips if clip.person == chosen.person and clip.key != chosen.key]
    assert len(same) == 1, 'four frames are too near to each other: references can be of this clip alone'
    poses = [same[0].poses[t, same[0].poses[t, :, 2] >= .1, :2] + .5 for t in range(4)]
    near = found[f'/{chosen.key}/references/1/keypoints']['Points2D:positions']
    assert near and all(any(len(p) == len(q) and np.allclose(p, q) for q in poses) for p in near)


def test_what_the_stream_writes_is_in_the_file(tmp_path, monkeypatch):
    class Stream:
        def save(self, path, blueprint):
            self.file = open(path, 'wb')

        def flush(self):
            self.file.write(b'pictures')

        def disconnect(self):
            self.file.close()

    recording = Recording.__new__(Recording)
    recording.stream, recording._fill = Stream(), []
    monkeypatch.setattr(recording, '_blueprint', lambda: None)
    (tmp_path / 'here').mkdir()
    monkeypatch.chdir(tmp_path / 'here')
    recording.save(tmp_path / 'a.rrd')
    assert (tmp_path / 'a.rrd').read_bytes() == b'pictures'
    assert {path.name for path in tmp_path.rglob('*')} == {'a.rrd', 'here'}, 'nothing is written beside it'


def test_the_command_writes_a_file_and_replaces_none(run, tmp_path, load_tool, capsys):
    pytest.importorskip('rerun', reason=NEEDS)
    main, out = load_tool('view').main, tmp_path / 'a.rrd'
    for options, code in (((), 0), ((), 2), (('--overwrite',), 0)):
        with pytest.raises(SystemExit) as end:
            main([str(run), '--out', str(out), *options])
        assert end.value.code == code and out.stat().st_size > 1000
    assert 'a.rrd: exists already' in capsys.readouterr().err


def test_what_is_missing_is_named_with_its_cure(monkeypatch):
    monkeypatch.setitem(sys.modules, 'rerun', None)
    with pytest.raises(InputError, match=r"pip install 'human-video-toolkit\[view\]'"):
        Recording('x')
    monkeypatch.setitem(sys.modules, 'rerun', type(sys)('rerun'))
    monkeypatch.setitem(sys.modules, 'rerun.blueprint', type(sys)('rerun.blueprint'))
    with pytest.raises(InputError, match='another program: pip uninstall rerun'):
        rerun()


def test_what_is_no_clip_or_run_is_refused(run, footage, clips, tmp_path, monkeypatch):
    clip, = find_clips(footage)
    assert is_run(run) and not is_run(clip.folder) and not is_run(footage)
    assert choose_clips(clip.folder)[0].name == choose_clips(footage)[0].name
    video = tmp_path / 'me.mp4'
    video.write_bytes(b'x')
    (tmp_path / 'empty').mkdir()
    for path, names, words in ((tmp_path / 'no', (), 'no such file'), (video, (), 'Prepare a video first'),
                               (tmp_path / 'empty', (), 'neither a prepared clip'),
                               (clips[0].folder.parent, (clips[0].key + 'x',), f'Did you mean {clips[0].key!r}')):
        with pytest.raises(InputError, match=words):
            choose_clips(path, names)
    monkeypatch.setattr('toolkit.analysis.recording.MOST_CLIPS', 1)
    with pytest.raises(InputError, match='holds 2 clips; choose up to 1 by --clips'):
        choose_clips(clips[0].folder.parent)


@pytest.mark.parametrize('options, words', [
    (('--clips', 'a'), '--clips and --max-frames are for prepared clips'), (('--port', '9'), '--port is for --web'),
    (('--overwrite',), '--overwrite is for --out'), (('--out', 'a.mp4'), 'recordings are written as .rrd'), ((), 'there is no screen')])
def test_options_without_an_effect_are_refused(run, options, words, load_tool, capsys, monkeypatch):
    monkeypatch.setattr('sys.platform', 'linux')
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as end:
        load_tool('view').main([str(run), *options])
    assert end.value.code == 2 and words in capsys.readouterr().err
