"""Looks at a model read only the frames they show, and keep only those of the sheet."""

from types import SimpleNamespace

import av
import cv2
import numpy as np

from toolkit.clips.clip import Clip, ClipWriter
from toolkit.datasets.windows import ClipWindows
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
