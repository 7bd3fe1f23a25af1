"""Previews of what the model paints: contact sheets and short videos of fixed clips during training."""

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.hooks import Hook

from toolkit.engine.datasets import build_dataset, give_fields
from toolkit.engine.random_state import random_state_kept
from toolkit.files import write_file
from toolkit.metrics.parts import ClipParts
from toolkit.models.bare import unwrapped
from toolkit.outputs import plain_path
from toolkit.registry import HOOKS
from toolkit.sheets import contact_sheet
from toolkit.structures import InputError, spread
from toolkit.together import on_main_process
from toolkit.video.io import VideoWriter

ROWS = {'real': 'real', 'pose': 'pose_maps', 'generated': 'generated'}
"""Name of a row of the sheet -> key of the result."""


@HOOKS.register_module()
class GenerateHook(Hook):
    """Generates fixed clips every ``interval`` iterations and at the end.

    For each clip it writes ``<work_dir>/vis/<iteration>_<clip>.png`` (rows: real, pose, generated) and ``.mp4`` (side by side), and
    gives the sheet to the visualizer (TensorBoard, WandB). Only frames that are generated are read, some at a time. Training is not
    touched: random numbers and modes are restored. Process 0 generates; the others wait.

    Args:
        interval: iterations between previews.
        dataset: ``DATASETS`` config that yields whole clips (``window=None``); None for that of ``test_dataloader``.
        max_frames: frames generated of each clip.
        clips: indices of the dataset's items; None takes the first three.
        columns: frames shown on a contact sheet.
        before: generate before the first iteration, too; later sheets have the rows real, pose, before and after.

    Raises:
        InputError: an index beyond the dataset, or no dataset.
    """

    priority = 80
    """Behind 'LOW', where a hook may end the run, and before checkpoints."""

    def __init__(self, interval: int, dataset: dict | None = None, max_frames: int = 50, clips: Sequence[int] | None = None,
                 columns: int = 6, before: bool = False) -> None:
        if interval < 1 or max_frames < 1:
            raise InputError(f'GenerateHook: interval and max_frames must be at least 1, got {interval} and {max_frames}')
        self.interval, self.max_frames, self.clips, self.columns = interval, max_frames, clips, columns
        self._config, self._dataset = dataset, None
        self.before, self._first = before, {}

    def before_train(self, runner) -> None:
        """Build the data set, so that its errors come before the first iteration."""
        config = self._config or (runner.cfg.get('test_dataloader') or {}).get('dataset')
        if not config:
            raise InputError('GenerateHook: the config has no test_dataloader, whose clips it would show; give the hook a dataset')
        self._dataset = build_dataset(config, runner.seed)
        give_fields(runner.model, self._dataset)
        self.clips = list(range(min(3, len(self._dataset)))) if self.clips is None else list(self.clips)
        if any(not 0 <= i < len(self._dataset) for i in self.clips):
            raise InputError(f'GenerateHook: clips={self.clips}, but its dataset has {len(self._dataset)} clips')
        if self.before and not runner.iter:
            on_main_process(lambda: self._preview(runner))

    def state_dict(self) -> dict:
        """Frames of the preview before the first iteration, (N, H, W, 3) uint8 by clip: sheets of a resumed run show them, too."""
        return {clip: np.stack(frames) for clip, frames in self._first.items()}

    def load_state_dict(self, state: dict) -> None:
        """Restore them."""
        self._first = {clip: list(frames.numpy()) for clip, frames in state.items()}

    def after_iteration(self, runner) -> None:
        """Generate where it is due."""
        if runner.iter % self.interval and runner.iter != runner.max_iters and not runner.train_loop.stop_training:
            return
        on_main_process(lambda: self._preview(runner))

    def _preview(self, runner) -> None:
        start = time.perf_counter()
        with random_state_kept():
            folder = self.generate(runner)
        runner.logger.info(f'wrote {folder}/{runner.iter:07d}_* in {time.perf_counter() - start:.1f} s')

    @torch.no_grad()
    def generate(self, runner) -> Path:
        """Generate all clips and write them.

        Returns:
            The folder written to.
        """
        folder = Path(runner.work_dir) / 'vis'
        folder.mkdir(exist_ok=True)
        with unwrapped(runner.model) as model:
            model.eval()
            try:
                for index in self.clips:
                    parts = ClipParts(self._dataset, index, self.max_frames)
                    self._write(runner, folder, model.test_stream(parts), parts.frames)
            finally:
                model.train()
        return folder

    def _write(self, runner, folder: Path, results: Iterable[dict], count: int) -> None:
        """Write the video part by part; of the frames only those on the sheet are kept."""
        shown = spread(count, self.columns)
        rows, t = {name: [] for name in ROWS}, 0
        with ExitStack() as stack:
            video = None
            for result in results:
                if video is None:
                    clip, path = result['clip'], folder / plain_path(f'{runner.iter:07d}_{result["clip"]}')
                    path.parent.mkdir(parents=True, exist_ok=True)
                    video = stack.enter_context(VideoWriter(f'{path}.mp4', result.get('fps', 25), overwrite=True))
                for frames in zip(*(result[key] for key in ROWS.values())):
                    video.write(np.concatenate(frames, 1))
                    if t in shown:
                        for name, frame in zip(ROWS, frames):
                            rows[name].append(frame.copy())
                    t += 1
        if self.before and not runner.iter:
            self._first[clip] = rows['generated']
        if runner.iter and clip in self._first:
            rows |= {'before': self._first[clip], 'after': rows.pop('generated')}
        labels = [[f'{name} {t}' if i == 0 else str(t) for i, t in enumerate(shown)] for name in rows]
        sheet = contact_sheet(list(rows.values()), labels)
        write_file(f'{path}.png', cv2.imencode('.png', sheet[..., ::-1])[1].tobytes())
        runner.visualizer.add_image(f'generate/{clip}', sheet, step=runner.iter)
