import errno
import socket
from contextlib import contextmanager

import numpy as np
import pytest
import torch
import torch.multiprocessing

from toolkit import doors
from toolkit.metrics.evaluator import ClipEvaluator, pick_clips
from toolkit.metrics.l1 import L1
from toolkit.metrics.psnr import PSNR
from toolkit.metrics.result_cache import ResultCache, fingerprint
from toolkit.structures import InputError

CLIPS = 5


class Clips:
    """Whole-clip items of a constant gray level that grows with the index."""

    def __init__(self):
        self.loaded = []

    def __len__(self):
        return CLIPS

    def __getitem__(self, index):
        self.loaded.append(index)
        frames = torch.full((4, 3, 16, 16), 10 * index, dtype=torch.uint8)
        return {'frames': frames, 'poses': torch.ones(4, 18, 3), 'masks': torch.full((4, 1, 16, 16), 255, dtype=torch.uint8),
                'content_frame': frames[0], 'clip': f'clip{index}', 'fps': 25.0}


class Offset:
    """Adds a constant to every real frame."""

    def __init__(self, offset, fail_at=None, error=None):
        self.offset, self.fail_at, self.error = offset, fail_at, error or KeyboardInterrupt()

    def test_stream(self, parts):
        return map(self.answer, parts)

    def answer(self, data):
        if data['clip'][0] == self.fail_at:
            raise self.error
        real = data['frames'][0].permute(0, 2, 3, 1).numpy()
        return {'clip': data['clip'][0], 'generated': real + np.uint8(self.offset), 'real': real, 'poses': data['poses'][0].numpy(),
                'mask': data['masks'][0, :, 0].numpy() > 127, 'scored': np.arange(len(real)) > 0}


def evaluator(fail_at=None, error=None, **kwargs):
    models = {'model': Offset(1, fail_at, error), 'Worse': Offset(5)}
    return ClipEvaluator(models, Clips(), [L1(protocols=['full']), PSNR(protocols=['full'])], **kwargs)


def test_every_model_on_the_same_clips():
    run = evaluator()
    run.run(range(CLIPS))
    results = run.summarize()
    assert list(results) == ['model', 'Worse'] and list(results['model']) == ['l1/full', 'psnr/full']
    assert results['model']['l1/full'].value == 1 and results['Worse']['l1/full'].value == 5
    assert results['model']['l1/full'].n_frames == 3 * CLIPS
    assert list(results['Worse']['l1/full'].per_clip) == [f'clip{i}' for i in range(CLIPS)]


def test_first_frames_only():
    run = evaluator(max_frames=2)
    run.run([0])
    assert run.summarize()['model']['l1/full'].n_frames == 1
    with pytest.raises(InputError, match='at least 2'):
        evaluator(max_frames=1)


def test_interrupted_and_continued(tmp_path):
    path = tmp_path / 'out.json.partial'
    first = evaluator(fail_at='clip3', cache=ResultCache(path, 'key'))
    with pytest.raises(KeyboardInterrupt):
        first.run(range(CLIPS))
    assert first.summarize()['model']['l1/full'].n_clips == 3  # what was done can be shown at once
    second = evaluator(cache=ResultCache(path, 'key'))
    second.run(range(CLIPS))
    assert second.dataset.loaded == [3, 4]
    whole = evaluator()
    whole.run(range(CLIPS))
    assert second.summarize() == whole.summarize()
    second.cache.remove()
    assert list(tmp_path.iterdir()) == []


def test_results_of_other_settings_are_not_taken(tmp_path):
    path = tmp_path / 'partial'
    evaluator(cache=ResultCache(path, 'key')).run([0, 1])
    other = evaluator(cache=ResultCache(path, 'other key'))
    other.run([0, 1])
    assert other.dataset.loaded == [0, 1]


def test_a_line_cut_off_is_measured_again(tmp_path):
    path = tmp_path / 'partial'
    evaluator(cache=ResultCache(path, 'key')).run([0, 1])
    text = path.read_text()
    path.write_text(text[:-30])
    again = evaluator(cache=ResultCache(path, 'key'))
    again.run([0, 1])
    assert again.dataset.loaded == [1]
    third = evaluator(cache=ResultCache(path, 'key'))
    third.run([0, 1])
    assert third.dataset.loaded == []


def test_zeros_that_a_power_cut_left_are_no_lines(tmp_path):
    path = tmp_path / 'partial'
    path.write_bytes(bytes(100))
    evaluator(cache=ResultCache(path, 'key')).run([0, 1])
    path.write_bytes(path.read_bytes() + bytes(50))
    again = evaluator(cache=ResultCache(path, 'key'))
    again.run([0, 1])
    assert again.dataset.loaded == []


@contextmanager
def watching(seen, killed=False):
    yield seen.append
    if killed:
        raise KeyboardInterrupt


def test_a_clip_counts_as_done_after_its_watcher(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        evaluator(cache=ResultCache(tmp_path / 'partial', 'key')).run([0, 1], watch=lambda: watching([], killed=True))
    seen = []
    evaluator(cache=ResultCache(tmp_path / 'partial', 'key')).run([0, 1], watch=lambda: watching(seen))
    assert len(seen) == 2


@pytest.mark.parametrize('text', ['5', '[]', 'null', '{}', 'my notes', '\xff', '{"key": "key", "index": "a", "results": {}}',
                                  '{"key": "key", "index": 0, "results": 5}', '{"key": "key", "begun": "a"}', '[' * 100000])
def test_a_file_of_others_is_named_and_kept(tmp_path, text):
    path = tmp_path / 'partial'
    evaluator(cache=ResultCache(path, 'key')).run([0])
    content = path.read_bytes() + b'\n' + text.encode('latin-1')
    path.write_bytes(content)
    with pytest.raises(InputError, match='partial: line 4 is not a result'):
        evaluator(cache=ResultCache(path, 'key')).run([0])
    assert path.read_bytes() == content


def test_files_of_others_beside_it_are_kept(tmp_path):
    (tmp_path / 'partial.bak').write_text('mine')
    run = evaluator(cache=ResultCache(tmp_path / 'partial', 'key'))
    run.run([0])
    run.cache.remove()
    assert [p.name for p in tmp_path.iterdir()] == ['partial.bak']


def test_files_of_other_processes_are_found_whatever_the_name(tmp_path):
    path = tmp_path / '.results[1].json.partial'
    evaluator(cache=ResultCache(path, 'key')).run([0, 1])
    path.rename(tmp_path / f'{path.name}.1')  # where process 1 writes
    again = evaluator(cache=ResultCache(path, 'key'))
    again.run([0, 1])
    assert again.dataset.loaded == []
    again.cache.remove()
    assert list(tmp_path.iterdir()) == []


def test_files_of_any_length_are_read(tmp_path, monkeypatch):
    """FID keeps 11 KB of each frame and model: 25,000 frames are more than a text of a stranger may have."""
    evaluator(cache=ResultCache(tmp_path / 'partial', 'key')).run([0, 1])
    monkeypatch.setattr(doors.read_bytes, '__defaults__', ('', 100))
    again = evaluator(cache=ResultCache(tmp_path / 'partial', 'key'))
    again.run([0, 1])
    assert again.dataset.loaded == []


def test_results_that_cannot_be_written_are_refused_before_any_clip(tmp_path, monkeypatch):
    def append(path, text):
        raise OSError(errno.ENOSPC, 'No space left on device')

    (tmp_path / 'file').write_text('')
    run = evaluator(cache=ResultCache(tmp_path / 'file' / 'partial', 'key'))
    with pytest.raises(InputError, match='partial: cannot be written'):
        run.run([0])
    monkeypatch.setattr('toolkit.metrics.result_cache.append', append)
    full = evaluator(cache=ResultCache(tmp_path / 'partial', 'key'))
    with pytest.raises(InputError, match='No space left'):
        full.run([0])
    assert run.dataset.loaded == full.dataset.loaded == []


def test_watcher_gets_what_each_model_made():
    seen = []
    evaluator().run([1], watch=lambda: watching(seen))
    assert [{k: int(v['generated'].max()) for k, v in samples.items()} for samples in seen] == [{'model': 11, 'Worse': 15}]


def test_progress_wraps_the_clips_that_are_left(tmp_path):
    path = tmp_path / 'partial'
    evaluator(cache=ResultCache(path, 'key')).run([0])
    seen = []
    evaluator(cache=ResultCache(path, 'key')).run([0, 1, 2], progress=lambda clips: seen.append(list(clips)) or clips)
    assert seen == [[1, 2]]


def test_two_metrics_of_one_name():
    with pytest.raises(InputError, match='both called l1'):
        ClipEvaluator({}, Clips(), [L1(), L1()])
    ClipEvaluator({}, Clips(), [L1(), L1(prefix='l1_again')])


def test_pick_clips():
    assert pick_clips(5, None) == pick_clips(5, 9) == [0, 1, 2, 3, 4]
    assert pick_clips(100, 3) == [0, 50, 99]
    assert pick_clips(10, 1) == [0]
    with pytest.raises(InputError, match='at least 1'):
        pick_clips(5, 0)


def test_fingerprint_depends_on_every_part():
    assert fingerprint('a', {'b': 1}) == fingerprint('a', {'b': 1}) != fingerprint('a', {'b': 2})


def two_processes(work, *arguments):
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    torch.multiprocessing.spawn(joined, (port, work, *arguments), nprocs=2)


def joined(rank, port, work, *arguments):
    torch.distributed.init_process_group('gloo', init_method=f'tcp://127.0.0.1:{port}', rank=rank, world_size=2)
    work(rank, *arguments)
    torch.distributed.destroy_process_group()


def one_of_two(rank, folder):
    run = evaluator(cache=ResultCache(folder / 'partial', 'key'))
    run.run(range(CLIPS))
    assert run.dataset.loaded == list(range(rank, CLIPS, 2))
    summary = run.summarize()['model']['l1/full']
    assert list(summary.per_clip) == [f'clip{i}' for i in range(CLIPS)] and summary.value == 1


def test_two_processes_share_the_clips(tmp_path):
    two_processes(one_of_two, tmp_path)
    alone = evaluator(cache=ResultCache(tmp_path / 'partial', 'key'))
    alone.run(range(CLIPS))
    assert alone.dataset.loaded == []  # one process takes over what two have measured


def one_fails(rank, folder):
    run = evaluator(fail_at='clip1', error=RuntimeError('out of memory'), cache=ResultCache(folder / 'partial', 'key'))
    error, message = (RuntimeError, '^out of memory') if rank else (InputError, 'process 1: RuntimeError: out of memory')
    with pytest.raises(error, match=message):
        run.run(range(CLIPS))
    assert run.dataset.loaded == ([1] if rank else [0, 2, 4])


def test_an_error_of_one_process_ends_both(tmp_path):
    """And what the other one measured is kept."""
    two_processes(one_fails, tmp_path)
    again = evaluator(cache=ResultCache(tmp_path / 'partial', 'key'))
    again.run(range(CLIPS))
    assert again.dataset.loaded == [1, 3]
