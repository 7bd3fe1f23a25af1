"""Looks at a model read only the frames they show, and keep only those of the sheet."""

from types import SimpleNamespace

import av
import cv2
import numpy as np

from toolkit.clips.clip import Clip, ClipWriter
from toolkit.datasets.windows import ClipWindows
from toolkit.engine.checkpoint import plain
from toolkit.engine.generate_hook import GenerateHook
from toolkit.registry import MODELS

H, W, FRAMES = 32, 32, 70


def make_clip(folder):
    writer = ClipWriter(folder, folder.name, 'ann', 'walk', H, W, 25)
    gray = np.zeros((H, W), np.float32)
    for t in range(FRAMES):
        writer.add(np.full((H, W, 3), 3 * t, np.uint8), np.ones((18, 3), np.float32), gray, gray, gray.astype(np.uint8))
    return writer.finish()


def test_only_what_is_shown_is_read(tmp_path, monkeypatch):
    make_clip(tmp_path / 'clips' / 'monday' / 'walk')
    hook = GenerateHook(interval=1, dataset={}, max_frames=40, clips=[0], columns=3)
    hook._dataset = ClipWindows(tmp_path / 'clips', window=None)
    sheets, read, original = {}, [], Clip._read
    monkeypatch.setattr(Clip, '_read', lambda self, kind, t, **color: read.append((kind, t)) or original(self, kind, t, **color))
    runner = SimpleNamespace(work_dir=tmp_path, iter=7, model=MODELS.build(dict(type='CopyContent')),
                             visualizer=SimpleNamespace(add_image=lambda name, image, step: sheets.update({name: image})))
    folder = hook.generate(runner)
    assert {t for kind, t in read if kind == 'edges'} == set(range(40)) and len(read) < 40 * 3 + 10
    with av.open(str(folder / '0000007_monday' / 'walk.mp4')) as video:
        assert sum(1 for _ in video.decode(video=0)) == 40
    sheet = cv2.imread(str(folder / '0000007_monday' / 'walk.png'))
    np.testing.assert_array_equal(sheet[..., ::-1], sheets['generate/monday/walk'])
    shown = sheet[16, :, 0]
    assert {0, 3 * 20, 3 * 39} <= set(shown.tolist()), 'the first, the middle and the last frame'


def test_before_and_after_stand_in_one_sheet(tmp_path, monkeypatch):
    """What was generated before training is shown above what is generated later, also by a run that was resumed in between."""
    make_clip(tmp_path / 'clips' / 'walk')
    data = dict(type='ClipWindows', root=str(tmp_path / 'clips'), window=None)
    hook = GenerateHook(interval=5, dataset=data, max_frames=4, before=True)
    level, sheets = [40], []
    model = MODELS.build(dict(type='CopyContent'))
    step = type(model).test_step
    monkeypatch.setattr(type(model), 'test_step', lambda self, data: [
        dict(result, generated=np.full_like(result['generated'], level[0])) for result in step(self, data)])
    runner = SimpleNamespace(
        work_dir=tmp_path, iter=0, max_iters=9, seed=0, model=model, logger=SimpleNamespace(info=lambda text: None),
        train_loop=SimpleNamespace(stop_training=False),
        visualizer=SimpleNamespace(add_image=lambda name, image, step: sheets.append((step, image))))
    hook.before_train(runner)
    for iteration in (3, 5, 9):
        level[0], runner.iter = 200, iteration
        if iteration == 5:
            hook, state = GenerateHook(interval=5, dataset=data, max_frames=4, before=True), plain(hook.state_dict())
            hook.load_state_dict(state)
            hook.before_train(runner)
        hook.after_iteration(runner)
    assert [step for step, _ in sheets] == [0, 5, 9]
    first, last = sheets[0][1], sheets[-1][1]
    assert len(last) == len(first) + 36, 'real, pose, before and after'
    column = last[:, 20, 0]
    before, after = np.flatnonzero(column == 40), np.flatnonzero(column == 200)
    assert len(before) and len(after) and before.max() < after.min()
