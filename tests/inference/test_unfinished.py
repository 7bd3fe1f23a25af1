"""Painting that was stopped goes on, and what comes out is the same as in one go."""

import shutil
import signal
import sys

import av
import cv2
import numpy as np
import pytest
import torch

from tests.inference.test_painting import trained
from tests.models.cycle_gan_parts import build_video
from tests.models.test_baseline_configs import METHODS, tiny
from tests.test_configs import clips as data  # noqa: F401
from tests.tools.conftest import load_tool  # noqa: F401
from toolkit import apis
from toolkit.clips.clip import Clip
from toolkit.fields import steps
from toolkit.inference import overlapping, result, unfinished
from toolkit.model_parts.part_pooling import LABELS
from toolkit.outputs import hidden, partial_video
from toolkit.packaged import PRETRAINED
from toolkit.progress import Progress
from toolkit.registry import MODELS
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions
from toolkit.video.io import VideoWriter, read_video
from toolkit.weights import read_checkpoint

TOTAL = 10


class Stop(Exception):
    """Somebody stops it."""


class StopAfter(Progress):
    """Stops after some frames; keeps what is said of going on."""

    def __init__(self, frames):
        self.frames, self.said = frames, []

    def step(self, stage, done, total):
        if done == self.frames:
            raise Stop

    def say(self, line):
        if line.startswith('goes on'):
            self.said.append(line)


@pytest.fixture(scope='module')
def people(tmp_path_factory):
    """Clips of two persons."""
    root = tmp_path_factory.mktemp('people')
    SyntheticActions(height=96, width=64, actors=4, actions=3, frames=TOTAL).write(
        root, actors=[0, 3], actions=[1], num_workers=1, progress=False)
    return [Clip(folder) for folder in sorted(root.iterdir())]


@pytest.fixture
def pieces_of_four(monkeypatch):
    """A video of some frames has several pieces."""
    for module in (overlapping, result, unfinished):
        monkeypatch.setattr(module, 'EVERY', 4)


def write(model, people, out, stop_after=None, wishes=None, overwrite=False, side_by_side=False):
    """Write a result; what was said of going on."""
    wishes = wishes or {}
    chosen = apis.choose(model, apis.Request(people[1].folder, people[0].folder, **wishes), out.parent, False)
    where = apis.Result(out, wishes.get('colors', apis.Colors()), side_by_side, overwrite)
    where.check([])
    heard = StopAfter(stop_after)
    where.write(chosen, apis.paint(model, chosen), audio=False, progress=heard)
    return heard.said


def frames_of(path):
    return [frame for frame, _ in read_video(path)]


def packets_of(path):
    with av.open(str(path)) as container:
        return [(float(p.pts * p.time_base), bytes(p)) for p in container.demux(video=0) if p.size]


@pytest.mark.parametrize('stops', [[5], [9, 10], [3], [4], [1, 6, 8]])
def test_the_same_as_in_one_go(stops, people, tmp_path, pieces_of_four):
    model, out = trained(), tmp_path / 'a.mp4'
    write(model, people, tmp_path / 'whole.mp4')
    for stop in stops:
        with pytest.raises(Stop):
            write(model, people, out, stop)
        assert not out.exists() and len(frames_of(partial_video(out))) == stop
    there = TOTAL if max(stops) == TOTAL else max(stops) // 4 * 4
    assert write(model, people, out) == ([f'goes on after {there} of {TOTAL} frames, which are painted already'] if there else [])
    whole, found = packets_of(tmp_path / 'whole.mp4'), packets_of(out)
    assert found == whole and len({time for time, _ in found}) == len(frames_of(out)) == TOTAL
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a.mp4', 'whole.mp4']


@pytest.mark.parametrize('side_by_side', [False, True])
def test_outfits_that_change_and_their_sheet(people, tmp_path, pieces_of_four, side_by_side):
    """References of a frame depend on the frames before, colors on its number."""
    model = trained(references=2)
    wishes = dict(colors=apis.Colors(samples=2))
    options = dict(wishes=wishes, side_by_side=side_by_side)
    write(model, people, tmp_path / 'whole.mp4', **options)
    with pytest.raises(Stop):
        write(model, people, tmp_path / 'a.mp4', 9, **options)
    assert write(model, people, tmp_path / 'a.mp4', **options)
    for whole in tmp_path.glob('whole*'):
        found = whole.with_name(whole.name.replace('whole', 'a'))
        assert (packets_of(found) == packets_of(whole)) if whole.suffix == '.mp4' else found.read_bytes() == whole.read_bytes()
    assert len(list(tmp_path.iterdir())) == (4 if side_by_side else 6)


def test_a_color_that_changes_over_the_video(people, tmp_path, pieces_of_four):
    model, wishes = trained(references=2), dict(colors=apis.Colors(interpolate=('#c03030,', '#3030c0,')))
    write(model, people, tmp_path / 'whole.mp4', wishes=wishes)
    with pytest.raises(Stop):
        write(model, people, tmp_path / 'a.mp4', 6, wishes)
    assert write(model, people, tmp_path / 'a.mp4', wishes=wishes)
    assert packets_of(tmp_path / 'a.mp4') == packets_of(tmp_path / 'whole.mp4')


def test_a_color_that_changes_begins_anew_with_each_painting(people, tmp_path):
    """Somebody looks at the first frames of what was chosen, and then paints it."""
    model = trained(references=2)
    request = apis.Request(people[1].folder, people[0].folder, colors=apis.Colors(interpolate=('#c03030,', '#3030c0,')))
    chosen, fresh = (apis.choose(model, request, tmp_path, False) for _ in range(2))
    look = apis.paint(model, chosen)
    next(look), next(look)
    look.close()
    np.testing.assert_array_equal(list(apis.paint(model, chosen)), list(apis.paint(model, fresh)))


def test_other_work_begins_anew(people, tmp_path, pieces_of_four):
    """Other weights, another movement, other colors, a damaged file: nothing of before is taken."""
    model, out = trained(), tmp_path / 'a.mp4'
    other = trained()
    with torch.no_grad():
        next(other.model.net_g.parameters()).add_(1)
    for again, given, options in ((other, people, {}), (model, people[::-1], {}), (model, people, dict(side_by_side=True)),
                                  (model, people, dict(wishes=dict(content_frame=3)))):
        with pytest.raises(Stop):
            write(model, people, out, 6)
        assert write(again, given, out, overwrite=True, **options) == []
        out.unlink()
    with pytest.raises(Stop):
        write(model, people, out, 6)
    state = hidden(out, 'unfinished') / unfinished.STATE
    state.write_bytes(state.read_bytes()[:-9])
    assert write(model, people, out) == [] and len(frames_of(out)) == TOTAL


def test_a_model_that_is_loaded_again_goes_on(people, tmp_path):
    """Discriminators of published models are random each time."""
    keys = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        model = apis.load(PRETRAINED, 'cpu')
        chosen = apis.choose(model, apis.Request(people[1].folder, people[0].folder), tmp_path, False)
        keys.append(apis.paint(model, chosen).key())
    assert keys[0] and keys[0] == keys[1]


def test_all_that_a_picture_depends_on_is_in_the_key(people, tmp_path):
    """The stage that a method has reached is no weight of a network; the size of references stands with the data."""
    model = trained(references=2)
    model.model.register_buffer('reached', torch.tensor(0))
    chosen, keys = apis.choose(model, apis.Request(people[1].folder, people[0].folder), tmp_path, False), []
    for change in (lambda: None, lambda: None, lambda: model.model.reached.add_(1),
                   lambda: model.config.train_dataloader.dataset.datasets['0'].update(references=dict(scale=1)),
                   lambda: chosen.poses.__iadd__(1)):
        change()
        keys.append(apis.paint(model, chosen).key())
    assert keys[0] == keys[1] and len({*keys}) == 4


def test_a_network_file_that_was_written_anew_is_other_work(people, tmp_path):
    """Norms frozen to a person are not in the weights that such a file names."""
    model, keys = trained(), []
    model.file = tmp_path / 'me.onnx'
    chosen = apis.choose(model, apis.Request(people[1].folder, people[0].folder), tmp_path, False)
    for content in ('one', 'one', 'another'):
        model.file.write_text(content)
        keys.append(apis.paint(model, chosen).key())
    assert keys[0] == keys[1] != keys[2]


def test_a_picture_of_a_clip_that_was_changed_is_other_work(people, tmp_path):
    """References are taken from all frames."""
    model, content, keys = trained(references=2), tmp_path / 'me', []
    shutil.copytree(people[0].folder, content)
    for corrected in (False, False, True):
        if corrected:
            file = str(content / 'parts' / '000005.png')
            labels = cv2.imread(file, cv2.IMREAD_GRAYSCALE)
            labels[labels > 1] = 1
            cv2.imwrite(file, labels)
        chosen = apis.choose(model, apis.Request(people[1].folder, content), tmp_path, False)
        keys.append(apis.paint(model, chosen).key())
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize('after', [2, 6])
def test_it_is_said_whether_the_same_command_goes_on(people, tmp_path, pieces_of_four, monkeypatch, capsys, load_tool, after):  # noqa: F811
    """Before the first piece is whole nothing is kept that it could go on with."""
    write_one = unfinished.Unfinished.write

    def stopped(self, pictures):
        if self.done == after:
            raise KeyboardInterrupt
        write_one(self, pictures)

    monkeypatch.setattr(unfinished.Unfinished, 'write', stopped)
    monkeypatch.setattr(apis, 'load', lambda *given: trained())
    arguments = ['--content', str(people[0].folder), '--driving', str(people[1].folder), '--out', str(tmp_path / 'a.mp4')]
    with pytest.raises(SystemExit) as end:
        load_tool('generate').main(arguments)
    said = capsys.readouterr().err
    assert end.value.code == 130 and 'the frames so far are in' in said, said
    assert ('the same command goes on' in said) == (after == 6)
    assert len(frames_of(partial_video(tmp_path / 'a.mp4'))) == after


def test_what_is_not_ours_stays_and_two_do_not_meet(people, tmp_path, pieces_of_four):
    folder = hidden(tmp_path / 'a.mp4', 'unfinished')
    folder.mkdir()
    (folder / 'thesis.tex').write_text('years')
    with pytest.raises(InputError, match='holds what was not made here .thesis.tex'):
        write(trained(), people, tmp_path / 'a.mp4')
    assert [p.name for p in folder.iterdir()] == ['thesis.tex']
    one, two = (unfinished.Unfinished(tmp_path / 'b.mp4', [tmp_path / 'b.mp4'], 25) for _ in range(2))
    with pytest.raises(Stop), one.held():
        with pytest.raises(InputError, match='b.mp4: is being painted by another process'), two.held():
            pass
        (one.folder / 'notes.txt').write_text('mine')
        raise Stop
    assert [p.name for p in one.folder.iterdir()] == ['notes.txt']


def test_the_first_error_is_told_where_no_partial_video_can_be_made(people, tmp_path, pieces_of_four, monkeypatch):
    def full(self, path):
        raise InputError('is the disk full?')

    monkeypatch.setattr(VideoWriter, 'append', full)
    with pytest.raises(Stop):
        write(trained(), people, tmp_path / 'a.mp4', 6)
    monkeypatch.undo()
    assert frames_of(hidden(tmp_path / 'a.mp4', 'unfinished') / '000_000000.mp4')


@pytest.mark.skipif(sys.platform == 'win32', reason='a limit of file sizes, which stands for a full disk')
def test_a_disk_that_is_full_when_the_state_is_kept_is_said(people, tmp_path, pieces_of_four, request):
    import resource
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    request.addfinalizer(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    model, out = trained(), tmp_path / 'a.mp4'
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, before[1]))
    with pytest.raises(InputError, match='state.pth: cannot be written'):
        write(model, people, out)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(frames_of(partial_video(out))) == 4 and write(model, people, out) == []
    assert [path.name for path in tmp_path.iterdir()] == ['a.mp4']


def test_a_file_that_comes_meanwhile_is_left_and_nothing_is_painted_again(people, tmp_path, pieces_of_four):
    model, out = trained(), tmp_path / 'a.mp4'
    with pytest.raises(Stop):
        write(model, people, out, TOTAL)
    where = apis.Result(out, apis.Colors())
    chosen = apis.choose(model, apis.Request(people[1].folder, people[0].folder), tmp_path, False)
    out.write_text('theirs')
    with pytest.raises(InputError, match='a.mp4: a file of this name has come .* What was made is kept in .*a.mp4.unfinished: move'):
        where.write(chosen, apis.paint(model, chosen), audio=False, progress=False)
    assert out.read_text() == 'theirs'
    out.unlink()
    assert write(model, people, out) == [f'goes on after {TOTAL} of {TOTAL} frames, which are painted already']
    assert len(frames_of(out)) == TOTAL


@pytest.mark.parametrize('stop', ['a_0.mp4', 'a_1.mp4', 'a.png'])
@pytest.mark.parametrize('before', [True, False])
def test_a_run_that_stops_while_results_get_their_names_goes_on(people, tmp_path, monkeypatch, stop, before):
    """A short video, too, whose pieces are not kept for itself."""
    model, wishes, out = trained(references=2), dict(colors=apis.Colors(samples=2)), tmp_path / 'a.mp4'
    write(model, people, tmp_path / 'whole.mp4', wishes=wishes)
    give = unfinished.give_name

    def stopped(made, path, *rest, **options):
        if path.name == stop and before:
            raise Stop
        give(made, path, *rest, **options)
        if path.name == stop:
            raise Stop

    monkeypatch.setattr(unfinished, 'give_name', stopped)
    with pytest.raises(Stop):
        write(model, people, out, wishes=wishes)
    monkeypatch.undo()
    there = {path: path.stat().st_mtime_ns for path in tmp_path.glob('a*')}
    assert len(there) == ['a_0.mp4', 'a_1.mp4', 'a.png'].index(stop) + (not before)
    if there:
        with pytest.raises(InputError, match='a_0.mp4: exists already'):
            write(model, people[::-1], out, wishes=wishes)
    assert write(model, people, out, wishes=wishes) == [f'goes on after {TOTAL} of {TOTAL} frames, which are painted already']
    assert all(path.stat().st_mtime_ns == at for path, at in there.items())
    assert packets_of(tmp_path / 'a_1.mp4') == packets_of(tmp_path / 'whole_1.mp4')
    endings = ('.png', '_0.mp4', '_1.mp4')
    assert sorted(p.name for p in tmp_path.iterdir()) == [f'{name}{end}' for name in ('a', 'whole') for end in endings]


def test_a_result_that_was_changed_since_is_not_ours(people, tmp_path, monkeypatch):
    model, wishes, out = trained(references=2), dict(colors=apis.Colors(samples=2)), tmp_path / 'a.mp4'
    give = unfinished.give_name
    monkeypatch.setattr(unfinished, 'give_name', lambda made, path, *rest, **options: give(
        made, path, *rest, **options) if path.name == 'a_0.mp4' else (tmp_path / 'none').read_text())
    with pytest.raises(FileNotFoundError):
        write(model, people, out, wishes=wishes)
    monkeypatch.undo()
    other = unfinished.Unfinished(out, [tmp_path / 'a_0.mp4'], 25, sound=tmp_path / 'a_0.mp4')
    with pytest.raises(InputError, match='a_0.mp4: exists already'), other.held():
        other.resume(read_checkpoint(other.folder / unfinished.STATE)['key'])  # the same pictures with another sound
    (tmp_path / 'a_0.mp4').write_text('cut by hand')
    with pytest.raises(InputError, match='a_0.mp4: exists already'):
        write(model, people, out, wishes=wishes)
    assert (tmp_path / 'a_0.mp4').read_text() == 'cut by hand'


@pytest.mark.parametrize('name', [*sorted(name for kind, name in METHODS.items() if kind != 'SegmentorTraining'), 'transfer'])
def test_what_a_painter_remembers_is_all_that_it_needs(name, data):  # noqa: F811
    """Of each method: three frames in one go, and the third one by a painter that is given what another one remembered."""
    torch.manual_seed(0)
    model = build_video(foreground=None).eval() if name == 'transfer' else MODELS.build(tiny(name, data).model.to_dict()).eval()
    batch = model.example_batch(64, 64, 3)
    part = {key: value if not torch.is_tensor(value) or value.dtype != torch.uint8 else torch.randint_like(
        value, LABELS if key.endswith('parts') else 256)
            for key, value in {'direction': ['ab'], **batch.get('a', batch)}.items()}
    frames = steps(part, model.paints_from)
    first, second = (model.open(**model._opening(part)) for _ in range(2))
    first(frames[0]), first(frames[1])
    second.memory = overlapping.memories([first])[0]
    third = first(frames[2])
    np.testing.assert_array_equal(second(frames[2]), third)
    if name in ('everybody_dance_now', 'vid2vid', 'transfer'):
        assert (model.open(**model._opening(part))(frames[2]) != third).any()


def test_pieces_of_any_rate_with_sound_are_one_video(tmp_path):
    """Times are those of one go, in each container."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (7, 33, 47, 3), np.uint8)
    for suffix in ('.mp4', '.mkv', '.mov'):
        for fps in (25, 30000 / 1001, 12.5):
            with VideoWriter(tmp_path / f'whole{suffix}', fps, overwrite=True) as writer:
                for frame in frames:
                    writer.write(frame)
            parts = []
            for number, piece in enumerate((frames[:3], frames[3:6], frames[6:])):
                parts.append(tmp_path / f'{number}.mp4')
                with VideoWriter(parts[-1], fps, overwrite=True) as writer:
                    for frame in piece:
                        writer.write(frame)
            with VideoWriter(tmp_path / f'joined{suffix}', fps, overwrite=True) as writer:
                for part in parts:
                    writer.append(part)
            whole, joined = read_video(tmp_path / f'whole{suffix}'), read_video(tmp_path / f'joined{suffix}')
            np.testing.assert_allclose(joined.times(), whole.times(), atol=1e-3 if suffix == '.mkv' else 1e-6)
            assert joined.full_size == whole.full_size and joined.fps == whole.fps
            assert abs(np.array(frames_of(tmp_path / f'joined{suffix}'), int) - frames_of(tmp_path / f'whole{suffix}')).mean() < 6
