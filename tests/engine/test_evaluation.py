"""A test from a program: the same as tools/test.py, which the tests of tools try with all its options."""

import json
import os
import time

import numpy as np
import pytest
import torch
from mmengine.config import Config

from toolkit import apis
from toolkit.clips.clip import ClipWriter
from toolkit.engine.config import load_config
from toolkit.engine.evaluation import Evaluation, choose_metrics
from toolkit.engine.trained_on import TIME
from toolkit.metrics.result_cache import ResultCache
from toolkit.structures import InputError
from toolkit.video.io import VideoReader

CONFIG = '''
model = dict(type='CopyContent')
data = dict(root={root!r})
test_dataloader = dict(dataset=dict(type='ClipWindows', window=None))
test_evaluator = [dict(type='PSNR', protocols=['full']), dict(type='L1', protocols=['full'])]
'''


@pytest.fixture
def config(tmp_path):
    for number in range(3):
        writer = ClipWriter(tmp_path / 'clips' / str(number), str(number), 'ann', f'wave_{number}', 32, 32, 25)
        flat = np.zeros((32, 32), np.float32)
        for t in range(4):
            writer.add(np.full((32, 32, 3), 60 * number + 10 * t, np.uint8), np.ones((18, 3)), flat, flat, flat.astype(np.uint8))
        writer.finish()
    (tmp_path / 'config.py').write_text(CONFIG.format(root=str(tmp_path / 'clips')))
    return tmp_path / 'config.py'


def test_measured_written_and_gone_on_with(config, tmp_path):
    out = tmp_path / 'out.json'
    first = Evaluation(config, metrics=['l1'], clips=2, max_frames=3, out=out, videos=tmp_path / 'videos')
    assert (first.indices, first.measured) == ([0, 2], [])
    with pytest.raises(KeyboardInterrupt):
        first.run(stop_after_one)
    assert first.measured == [0] and '1 clip, 2 frames' in first.tables()
    again = Evaluation(config, metrics=['l1'], clips=2, max_frames=3, out=out, videos=tmp_path / 'videos')
    asked = []
    again.run(lambda clips: asked.extend(clips) or clips)
    again.write()
    assert asked == [2] and again.measured == [0, 2]
    content = json.loads(out.read_text())
    assert content['metrics'] == json.loads(json.dumps(again.results()['metrics'])) and list(content) == ['about', 'metrics']
    assert content['metrics']['l1/full']['value'] == pytest.approx(15) and content['about']['clips_available'] == 3
    video = VideoReader(tmp_path / 'videos' / '2.mp4')
    assert next(iter(video))[0].shape == (32, 3 * 32, 3)
    with pytest.raises(InputError, match='out.json: exists already'):
        Evaluation(config, out=out)


def test_frames_that_were_trained_on_are_said(config, tmp_path):
    train = dict(train_dataloader=dict(dataset=dict(type='ClipWindows', root=str(tmp_path / 'clips'), frames=(0, 3))))
    for name, after in (('seen', 60), ('older', -3600)):
        when = time.strftime(TIME, time.localtime(time.time() + after))
        meta = dict(iter=3, time=when, config=dict(train, model=dict(type='CopyContent')))
        torch.save(dict(state_dict={}, meta=meta), tmp_path / f'{name}.pth')
    seen = Evaluation(config, tmp_path / 'seen.pth', metrics=['l1'], clips=2)
    seen.run()
    assert seen.results()['about']['trained_on'] == {str(tmp_path / 'clips' / name): 3 for name in '02'}
    assert 'The model was trained on 6 of the frames that are measured (3 frames of ' in seen.tables().splitlines()[-1]
    older = Evaluation(config, tmp_path / 'older.pth', metrics=['l1'], clips=2)
    older.run()
    assert older.results()['about']['trained_on'] == {} and not older.notes and 'trained on' not in older.tables()


def test_results_that_come_in_between_stay(config, tmp_path):
    evaluation = Evaluation(config, metrics=['l1'], clips=1, max_frames=3, out=tmp_path / 'out.json')
    evaluation.run()
    (tmp_path / 'out.json').write_text('mine')
    with pytest.raises(InputError, match='a file of this name has come'):
        evaluation.write()
    assert (tmp_path / 'out.json').read_text() == 'mine'


def test_what_is_kept_for_going_on_goes_when_the_results_are_on_the_disk(config, tmp_path, monkeypatch):
    evaluation, seen = Evaluation(config, metrics=['l1'], clips=1, max_frames=3, out=tmp_path / 'out.json'), []
    evaluation.run()
    monkeypatch.setattr(os, 'fsync', lambda _: seen.append(evaluation.cache.path.exists()))
    evaluation.write()
    assert seen and all(seen) and not evaluation.cache.path.exists()


def stop(config, **options):
    with pytest.raises(KeyboardInterrupt):
        Evaluation(config, **options).run(stop_after_one)


def clips_to_measure(config, **options):
    asked = []
    evaluation = Evaluation(config, **options)
    evaluation.run(lambda clips: asked.extend(clips) or clips)
    evaluation.tables()
    return asked


def test_a_stopped_run_does_not_take_the_videos_of_another_for_its_own(config, tmp_path):
    old, out = tmp_path / 'old', tmp_path / 'out.json'
    old.mkdir()
    for number in range(2):
        (old / f'{number}.mp4').write_text('mine')
    stop(config, out=out)
    with pytest.raises(InputError, match='old: holds files already; say --overwrite'):
        Evaluation(config, out=out, videos=old)
    assert [video.read_text() for video in sorted(old.iterdir())] == ['mine', 'mine']
    assert clips_to_measure(config, out=out, videos=old, overwrite=True) == [0, 1, 2]
    assert [len(list(VideoReader(old / f'{number}.mp4'))) for number in range(3)] == [4, 4, 4]


def test_each_clip_of_a_run_that_goes_on_with_a_folder_for_videos_has_one(config, tmp_path):
    stop(config, out=tmp_path / 'out.json')
    assert clips_to_measure(config, out=tmp_path / 'out.json', videos=tmp_path / 'new') == [0, 1, 2]
    assert sorted(video.name for video in (tmp_path / 'new').iterdir()) == ['0.mp4', '1.mp4', '2.mp4']


def test_only_the_run_that_was_stopped_goes_on_with_its_videos(config, tmp_path, monkeypatch):
    """Stopped after its first video, before the clip counts."""
    options = dict(out=tmp_path / 'out.json', videos=tmp_path / 'videos')
    with monkeypatch.context() as patch:
        patch.delattr(ResultCache, 'add')
        with pytest.raises(AttributeError, match='add'):
            Evaluation(config, **options).run()
    assert [video.name for video in options['videos'].iterdir()] == ['0.mp4']
    with pytest.raises(InputError, match='videos: holds files already'):
        Evaluation(config, baselines=True, **options)
    assert clips_to_measure(config, **options) == [0, 1, 2]


def test_with_baselines_a_stopped_run_begins_anew(config, tmp_path):
    stop(config, out=tmp_path / 'out.json')
    assert clips_to_measure(config, out=tmp_path / 'out.json', baselines=True) == [0, 1, 2]


def test_with_other_arguments_of_a_metric_a_stopped_run_begins_anew(config, tmp_path):
    """Also where the definitions of its numbers do not tell them."""
    asked = []
    for frames in (96, 96, 4):
        cfg = load_config(config)
        cfg.test_evaluator = [dict(type='Identity', region='input', frames=frames)]
        if not asked:
            stop(cfg, out=tmp_path / 'out.json')
        asked.append(clips_to_measure(cfg, out=tmp_path / 'out.json'))
    assert asked == [[1, 2], [], [0, 1, 2]]


def test_a_second_process_for_the_same_results_is_told(config, tmp_path):
    first, second = (Evaluation(config, metrics=['l1'], out=tmp_path / 'out.json') for _ in range(2))

    def meanwhile(clips):
        with pytest.raises(InputError, match='out.json: is being measured by another process'):
            second.run()
        return clips

    first.run(meanwhile)
    first.write()
    assert first.measured == [0, 1, 2] and not second.measured
    assert sorted(p.name for p in tmp_path.iterdir()) == ['clips', 'config.py', 'out.json']


def test_one_call_of_a_program(config, tmp_path):
    results = apis.test(config, cfg_options=['test_dataloader.dataset.actions=wave_1'], out=tmp_path / 'out.json')
    assert results['metrics']['l1/full']['n_clips'] == 1 and (tmp_path / 'out.json').exists()


def stop_after_one(clips):
    yield clips[0]
    raise KeyboardInterrupt


def test_a_config_whose_test_has_windows_is_refused(config):
    with pytest.raises(InputError, match='window must be None, for whole clips; got 2'):
        Evaluation(config, cfg_options={'test_dataloader.dataset.window': 2})


def test_metrics_by_name():
    cfg = Config(dict(test_evaluator=[dict(type='PSNR'), dict(type='L1')]), filename=None)
    assert choose_metrics(cfg, ['psnr']) == [dict(type='PSNR')] and len(choose_metrics(cfg, None)) == 2
    with pytest.raises(InputError, match="PSNRR: not in test_evaluator, which has PSNR, L1. Did you mean 'PSNR'"):
        choose_metrics(cfg, ['PSNRR'])
