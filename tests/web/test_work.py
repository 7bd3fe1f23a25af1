"""What the page has done, in the process of a job."""

from collections.abc import Mapping

import pytest

from toolkit.clips.clip import find_clips
from toolkit.engine.launch import load_config
from toolkit.registry import DATASETS
from toolkit.structures import InputError
from toolkit.synthetic.build import build_synthetic
from toolkit.web import work
from toolkit.web.advice import for_page
from toolkit.web.html import curves, found


def downloads(config):
    """Whether anything in a config may load from the network."""
    if isinstance(config, Mapping):
        return bool(config.get('download')) or any(map(downloads, config.values()))
    return isinstance(config, (list, tuple)) and any(map(downloads, config))


def test_a_fine_tuning_of_the_page_asks_nobody_for_weights(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(work.apis, 'finetune', lambda *values, cfg_options, progress, fast: asked.append((values, cfg_options)))
    assert work.finetune(work.Progress(), str(tmp_path / 'run'), str(tmp_path), 8, True) == tmp_path.name, 'the model is its folder'
    (values, options), = asked
    assert values == ([], str(tmp_path / 'run'), str(tmp_path), 8, True)
    assert downloads(load_config(work.apis.FINETUNE)._cfg_dict.to_dict())
    config = load_config(work.apis.FINETUNE, options)
    assert not downloads(config._cfg_dict.to_dict()) and config.train_cfg.val_interval == 2


def test_a_video_of_clothes_is_cut_as_other_uploads_are(clips, walk, tmp_path, monkeypatch):
    asked, said = [], []
    monkeypatch.setattr(work.apis, 'prepare', lambda *values, end, **more: asked.append((values[0], end)) or clips[1])
    monkeypatch.setattr(work.apis, 'generate', lambda *values, colors, **more: asked.append(colors.like))
    monkeypatch.setattr(work.Progress, 'say', lambda told, line: said.append(line))
    work.generate(work.Progress(), str(tmp_path), str(clips[0].folder), str(clips[0].folder), None, .2, True,
                  dict(like=str(walk)), .5, str(tmp_path / 'prepared'), {})
    assert asked == [(str(walk), .5), clips[1].folder] and 'walk.mp4: the first 0.5 of ' in said[0]


def test_the_curve_shows_what_a_fine_tuning_logs(tmp_path):
    log = tmp_path / '20260101' / 'vis_data' / 'scalars.json'
    log.parent.mkdir(parents=True)
    log.write_text('{"g/l1": 0.5, "g/gan": 1.5, "iter": 2, "step": 2}\n{"ssim/full": 0.91, "ssim/crop": 0.8, "step": 2}\n'
                   '{"g/l1": 0.25, "g/gan": 1.25, "iter": 4, "step": 4}\n{"g/l1": 0.1, "it')
    chart = curves(tmp_path)
    assert chart.count('<svg') == 3 and 'L1 of the generator (less is better): 0.25' in chart
    assert 'SSIM of the held-out quarter (more is better): 0.91' in chart and curves(tmp_path / 'x') == ''


def test_the_least_length_to_learn_from_is_what_the_data_set_takes(tmp_path):
    least = work.least_frames()
    data = load_config(work.apis.FINETUNE, [f'data.root={tmp_path}']).train_dataloader['dataset'].to_dict()
    for frames, said in ((least, None), (least - 1, for_page)):
        folder = tmp_path / str(frames)
        build_synthetic(folder, dict(height=96, width=64, frames=frames, actors=[0], actions=['kick'], num_workers=0))
        if said is None:
            assert len(DATASETS.build(dict(data, root=folder)))
            continue
        with pytest.raises(InputError) as error:
            DATASETS.build(dict(data, root=folder))
        assert 'is too short to learn from' in said(str(error.value)) and 'choose a longer one' in said(str(error.value))


def test_what_was_found_is_shown_when_it_is_drawn(tmp_path):
    build_synthetic(tmp_path, dict(height=96, width=64, frames=2, actors=[0], actions=['kick'], num_workers=0))
    clip, = find_clips(tmp_path)
    assert '<video' not in found('clips', 'x', clip), 'a browser would not ask again for what was not there'
    work.draw_found(clip, tmp_path)
    assert 'src="/hvt/files/clips/x/found.mp4"' in found('clips', 'x', clip)
