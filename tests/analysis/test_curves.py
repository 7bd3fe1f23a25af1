"""Curves are those of the log: keys, runs, smoothing, damaged lines; files are not replaced unasked."""

import json
import signal
import sys

import cv2
import numpy as np
import pytest

from toolkit.analysis.curves import Run, choose_keys, describe, plot_runs, read_run, smoothed
from toolkit.analysis.latent_figures import Panel, draw_codes
from toolkit.structures import InputError


def log(folder, rows):
    file = folder / '20260101_000000' / 'vis_data' / 'scalars.json'
    file.parent.mkdir(parents=True)
    file.write_text('\n'.join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return folder


@pytest.fixture
def run(tmp_path):
    rows = [{'g.lr': 1e-3, 'time': .5, 'data_time': .1, 'g/gan': 10 - t, 'iter': 10 * t, 'step': 10 * t} for t in range(1, 9)]
    return log(tmp_path / 'mine', [*rows, '{"g/gan": 0.5, "it', {'lpips/crop': .2, 'psnr/crop': 20., 'step': 40},
                                   {'lpips/crop': .3, 'psnr/crop': 19., 'step': 80}])


def test_a_log_is_read(run):
    found = read_run(run)
    assert found.name == 'mine' and found.problems == 1 and set(found.curves) == {'g.lr', 'g/gan', 'lpips/crop', 'psnr/crop'}
    assert found.curves['g/gan'][0].tolist() == list(range(10, 90, 10)) and found.curves['g/gan'][1][-1] == 2
    assert read_run(next(run.glob('*/vis_data/scalars.json'))).name == 'mine'
    lines = describe(found, ['g/gan', 'lpips/crop', 'psnr/crop'])
    assert lines[0] == 'mine: 80 iterations, 0.500 s each, 20% of it waiting for data (1 lines of the log cannot be read)'
    assert lines[2].split() == 'lpips/crop last 0.3, least 0.2 at 40, most 0.3 at 80'.split() and 'most 20 at 40' in lines[3]


def test_runs_are_called_by_their_folders_and_logs_elsewhere_by_their_files(run, tmp_path, monkeypatch):
    """Of a log that was copied, the folder three above means nothing; above /tmp/first.json there is none."""
    log, = run.glob('*/vis_data/scalars.json')
    monkeypatch.chdir(run)
    assert read_run('.').name == 'mine' == read_run(log.relative_to(run)).name
    for name in ('first', 'second'):
        (tmp_path / f'{name}.json').write_bytes(log.read_bytes())
        assert read_run(tmp_path / f'{name}.json').name == name


def test_keys_are_chosen(run):
    runs = [read_run(run)]
    assert choose_keys([Run('a', dict.fromkeys(('lr', 'g.lr', 'base_lr', 'g/l1_lr')))]) == ['g/l1_lr'], 'a loss may end as rates do'
    assert choose_keys(runs) == ['g/gan', 'lpips/crop', 'psnr/crop'] and choose_keys(runs, ['psnr', 'g.lr']) == ['psnr/crop', 'g.lr']
    with pytest.raises(InputError, match="no run has logged 'lpip/crop'. Did you mean 'lpips/crop'"):
        choose_keys(runs, ['lpip/crop'])


def test_a_picture_has_a_panel_a_key_and_a_color_a_run(run, tmp_path, load_tool, capsys):
    other = log(tmp_path / 'other', [{'g/gan': 5., 'step': t} for t in (10, 80)])
    with pytest.raises(SystemExit) as end:
        load_tool('plot_logs').main([str(run), str(other), '--out', str(tmp_path / 'a.png'), '--smooth', '0.5'])
    assert end.value.code == 0 and 'other: 80 iterations' in capsys.readouterr().out
    picture = cv2.imread(str(tmp_path / 'a.png')).astype(int)
    assert picture.shape[1] == 1200 and picture.shape[0] == 320
    blue, orange = ((abs(picture - color).sum(-1) < 40).sum() for color in ((180, 119, 31), (14, 127, 255)))
    assert blue > 200 and orange > 100, 'both runs are drawn'
    with pytest.raises(InputError, match='a.png'):
        plot_runs([run], tmp_path / 'a.png')


def test_no_two_of_many_runs_look_alike(tmp_path, monkeypatch):
    drawn, runs = [], [log(tmp_path / f'run{n}', [{'x': n, 'step': t} for t in (1, 2)]) for n in range(13)]
    monkeypatch.setattr('matplotlib.figure.Figure.savefig', lambda figure, *_, **__: drawn.append(figure))
    plot_runs(runs, tmp_path / 'a.png')
    lines = drawn[0].axes[0].get_lines()
    assert [line.get_label() for line in lines] == [run.name for run in runs]
    assert len({(line.get_color(), line.get_linestyle()) for line in lines}) == 13


def test_smoothing_does_not_pull_to_the_first_value():
    assert np.allclose(smoothed(np.full(5, 3.), .9), 3) and np.isnan(smoothed(np.array([1, np.nan, 2.]), .5)[1])
    assert smoothed(np.array([0., 1.]), .5)[1] == pytest.approx(2 / 3)


@pytest.mark.parametrize('rows, out, smooth, words', [
    (None, 'a.png', 0, 'no such file'), ([], 'a.png', 0, 'holds no line'), ([{'x': 1, 'step': 1}], 'a.jpg', 0, 'written as .png'),
    ([{'x': 1, 'step': 1}], 'a.png', 1., 'below 1'), ([{'lr': 1, 'step': 1}], 'a.png', 0, 'nothing to draw')])
def test_what_cannot_be_drawn(tmp_path, rows, out, smooth, words):
    if rows is not None:
        log(tmp_path / 'mine', rows)
    with pytest.raises(InputError, match=words):
        plot_runs([tmp_path / 'mine'], tmp_path / out, smooth=smooth)


@pytest.mark.parametrize('line', [
    '[' * 100_000, '{"step": Infinity, "x": 1}', '{"step": NaN, "x": 1}', f'{{"step": 1{"0" * 30}, "x": 1}}',
    f'{{"step": 3, "x": 1{"0" * 400}}}', '7', '[]', 'null', '{"x": 1}', '{"step": {}}'])
def test_a_line_that_is_none_is_counted_and_left_out(tmp_path, line):
    (tmp_path / 'scalars.json').write_text(f'{{"step": 1, "x": 2}}\n{line}\n{{"step": 2, "x": 3}}\n')
    found = read_run(tmp_path / 'scalars.json')
    assert found.problems == 1 and found.curves['x'][0].tolist() == [1, 2] and found.curves['x'][1].tolist() == [2, 3]


def test_a_folder_without_a_log(tmp_path):
    with pytest.raises(InputError, match='has it trained long enough'):
        read_run(tmp_path)


@pytest.mark.skipif(sys.platform == 'win32', reason='a limit of file sizes, which stands for a full disk')
@pytest.mark.parametrize('draw', ['curves', 'codes'])
def test_a_full_disk_is_said_and_leaves_an_older_picture(run, tmp_path, request, draw):
    import resource
    before, path = resource.getrlimit(resource.RLIMIT_FSIZE), tmp_path / 'a.png'
    path.write_bytes(b'older')
    request.addfinalizer(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, before))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    panel = Panel('a', np.zeros((4, 2)), np.zeros((4, 2)), '', raw=True)
    with pytest.raises(InputError, match='a.png: cannot be written'):
        plot_runs([run], path, overwrite=True) if draw == 'curves' else draw_codes([[panel]], path)
    assert path.read_bytes() == b'older' and [p.name for p in tmp_path.glob('*.*')] == ['a.png']


def test_a_picture_that_comes_while_it_is_drawn_stays(run, tmp_path, monkeypatch):
    monkeypatch.setattr('toolkit.analysis.curves.refuse_existing', lambda *_: (tmp_path / 'a.png').write_bytes(b'mine'))
    with pytest.raises(InputError, match='a file of this name has come'):
        plot_runs([run], tmp_path / 'a.png')
    assert (tmp_path / 'a.png').read_bytes() == b'mine'
    plot_runs([run], tmp_path / 'a.png', overwrite=True)
    assert (tmp_path / 'a.png').read_bytes() != b'mine'
