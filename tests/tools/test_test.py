"""tools/test.py on four small synthetic clips."""

import json

import pytest

from toolkit.metrics.psnr import PSNR
from toolkit.metrics.result_cache import ResultCache
from toolkit.registry import METRICS
from toolkit.video.io import read_video

CONFIG = '''
model = dict(type='CopyContent')
test_dataloader = dict(dataset=dict(type='ClipWindows', root={root!r}, window=None,
    synthetic=dict(height=96, width=64, actors=[0, 1], actions=[0, 1], frames=4)))
test_evaluator = [dict(type='PSNR'), dict(type='MSSSIM', protocols=['full']), dict(type='MaskArea')]
'''


@METRICS.register_module()
class InterruptedPSNR(PSNR):
    """Behaves as if the user pressed Ctrl-C when clip number ``stop_at`` is measured; counts what it measured."""

    stop_at, measured = None, 0

    def compute(self, sample):
        if InterruptedPSNR.measured == InterruptedPSNR.stop_at:
            raise KeyboardInterrupt
        InterruptedPSNR.measured += 1
        return super().compute(sample)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tool')
    (folder / 'config.py').write_text(CONFIG.format(root=str(folder / 'clips')))
    (folder / 'interrupted.py').write_text("_base_ = ['config.py']\ntest_evaluator = [dict(type='InterruptedPSNR')]\n")
    return folder


@pytest.fixture
def run(load_tool, folder, monkeypatch, capsys):
    """Call the tool; exit code, standard output, standard error."""
    monkeypatch.setenv('COLUMNS', '200')

    def call(*arguments, config='config.py'):
        with pytest.raises(SystemExit) as stop:
            load_tool('test').main([str(folder / config), '--device', 'cpu', *map(str, arguments)])
        return stop.value.code, *capsys.readouterr()

    return call


def test_table_json_baselines_and_videos(run, folder):
    out = folder / 'out.json'
    code, table, _ = run('--out', out, '--baselines', '--save-videos', folder / 'videos')
    assert code == 0
    header = next(line for line in table.splitlines() if line.startswith('metric')).split()
    assert header[:5] == ['metric', 'model', 'CopyContent', 'PasteParts', 'n']
    assert '4 clips, 12 frames' in table
    assert 'ms_ssim/full n/a: MS-SSIM needs a side above 160 px, got 96x64' in table
    content = json.loads(out.read_text())
    psnr = content['metrics']['psnr/full']
    assert len(psnr['per_clip']) == psnr['n_clips'] == 4 and psnr['n_frames'] == 12  # frame 0 of each is the content frame
    assert psnr['value'] == pytest.approx(sum(psnr['per_clip'].values()) / 4) and psnr['ci'][0] <= psnr['value'] <= psnr['ci'][1]
    assert content['metrics'] == content['baselines']['CopyContent'] != content['baselines']['PasteParts']
    assert content['metrics']['ms_ssim/full']['value'] == 'n/a'
    assert '10 log10' in psnr['definition'] and content['about']['config'].endswith('config.py')
    assert len(list((folder / 'videos').glob('*.mp4'))) == 4
    assert not list(folder.glob('out.json.*'))


def test_some_clips_frames_and_metrics(run):
    code, table, _ = run('--clips', 2, '--max-frames', 2, '--metrics', 'psnr')
    assert code == 0 and '2 clips, 2 frames' in table and 'mask/area' not in table


@pytest.mark.parametrize('arguments, message', [
    (['--launcher', 'slurm'], '--launcher slurm needs srun'),
    (['--launcher', 'mpi'], '--launcher mpi needs mpirun'),
    (['--metrics', 'PSNRR'], "metrics PSNRR: not in test_evaluator, which has PSNR, MSSSIM, MaskArea. Did you mean 'PSNR'?"),
    (['--cfg-options', 'test_dataloader.dataset.window=2'], 'window must be None'),
    (['nothing.pth'], 'nothing.pth does not exist'),
    (['--clips', '0'], 'at least 1'),
    (['--max-frames', '1'], 'at least 2'),
])
def test_mistakes_are_named(run, arguments, message):
    code, _, error = run(*arguments)
    assert code == 2 and message in error


def test_config_without_evaluation(run, folder):
    (folder / 'bare.py').write_text("model = dict(type='CopyContent')\n")
    code, _, error = run(config='bare.py')
    assert code == 2 and 'has no test_evaluator' in error


def test_interrupted_and_continued(run, folder):
    out, partial = folder / 'stopped.json', folder / '.stopped.json.partial'
    InterruptedPSNR.measured, InterruptedPSNR.stop_at = 0, 1
    code, table, error = run('--out', out, config='interrupted.py')
    assert code == 130 and 'interrupted after 1 of 4 clips' in error and str(partial) in error
    assert '1 clip, 3 frames' in table and partial.exists() and not out.exists()
    InterruptedPSNR.stop_at = None
    code, table, _ = run('--out', out, config='interrupted.py')
    assert code == 0 and '4 clips, 12 frames' in table
    assert InterruptedPSNR.measured == 4  # the first clip was not measured again
    assert out.exists() and not partial.exists()


def test_a_clip_that_counts_has_its_video(run, folder, monkeypatch):
    def count_and_die(self, index, results):
        add(self, index, results)
        raise KeyboardInterrupt

    add = ResultCache.add
    with monkeypatch.context() as patch:
        patch.setattr(ResultCache, 'add', count_and_die)
        assert run('--out', folder / 'died.json', '--save-videos', folder / 'kept', config='interrupted.py')[0] == 130
    video, = (folder / 'kept').iterdir()
    assert len(list(read_video(video))) == 4 and (folder / '.died.json.partial').read_text().count('"index"') == 1
    assert run('--out', folder / 'died.json', '--save-videos', folder / 'kept', config='interrupted.py')[0] == 0
    assert len(list((folder / 'kept').glob('*.mp4'))) == len(list((folder / 'kept').iterdir())) == 4


def test_results_of_clips_that_were_changed_are_measured_again(run, folder):
    out = folder / 'changed.json'
    InterruptedPSNR.measured, InterruptedPSNR.stop_at = 0, 2
    assert run('--out', out, config='interrupted.py')[0] == 130
    picture = next((folder / 'clips').glob('*/frames/000001.*'))
    content = picture.read_bytes()
    picture.unlink()
    picture.write_bytes(content)
    InterruptedPSNR.measured, InterruptedPSNR.stop_at = 0, None
    assert run('--out', out, config='interrupted.py')[0] == 0
    assert InterruptedPSNR.measured == 4


def test_a_file_of_others_under_the_cache_name_is_kept(run, folder):
    partial = folder / '.notes.json.partial'
    partial.write_text('my notes\n')
    code, _, error = run('--out', folder / 'notes.json')
    assert code == 2 and 'notes.json.partial: line 1 is not a result' in error and partial.read_text() == 'my notes\n'


def test_results_of_others_are_replaced_only_when_told_so(run, folder):
    """Refused before the checkpoint is looked for."""
    out, videos = folder / 'mine.json', folder / 'mine'
    out.write_text('mine')
    videos.mkdir()
    (videos / 'a.mp4').write_text('mine')
    code, _, error = run('--out', out)
    assert code == 2 and 'mine.json: exists already; say --overwrite' in error and out.read_text() == 'mine'
    code, _, error = run('--save-videos', videos)
    assert code == 2 and 'mine: holds files already; say --overwrite' in error and (videos / 'a.mp4').read_text() == 'mine'
