"""Looks at what the model paints: contact sheets and short videos of fixed clips during training."""

import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from mmengine.hooks import Hook
from torch.utils.data import default_collate

from toolkit.data.files import write_file
from toolkit.data.sheets import contact_sheet
from toolkit.data.video import VideoWriter
from toolkit.engine.datasets import build_dataset
from toolkit.engine.random_state import random_state_kept
from toolkit.engine.together import on_main_process
from toolkit.engine.wrapper import unwrapped
from toolkit.outputs import plain_name
from toolkit.registry import HOOKS
from toolkit.structures import InputError

TIME_KEYS = ('frames', 'poses', 'pose_maps', 'edges', 'masks', 'regions')


@HOOKS.register_module()
class GenerateHook(Hook):
    """Generates fixed clips every ``interval`` iterations and at the end.

    For each clip it writes ``<work_dir>/vis/<iteration>_<clip>.png`` (rows: real, pose, generated) and ``.mp4`` (side by side), and
    gives the sheet to the visualiser (TensorBoard, WandB). Training is not touched: random numbers and modes are restored. Process
    0 generates; the others wait.

    Args:
        interval: iterations between looks.
        dataset: ``DATASETS`` config that yields whole clips (``window=None``).
        max_frames: frames generated of each clip.
        clips: indices of the dataset's items; None takes the first three.
        columns: frames shown on a contact sheet.

    Raises:
        InputError: an index beyond the dataset.
    """

    priority = 'LOW'

    def __init__(self, interval: int, dataset: dict, max_frames: int = 50, clips: Sequence[int] | None = None,
                 columns: int = 6) -> None:
        if interval < 1 or max_frames < 1:
            raise InputError(f'GenerateHook: interval and max_frames must be at least 1, got {interval} and {max_frames}')
        self.interval, self.max_frames, self.clips, self.columns = interval, max_frames, clips, columns
        self._config, self._dataset = dataset, None

    def before_train(self, runner) -> None:
        """Build the data set, so that its errors come before the first iteration."""
        self._dataset = build_dataset(self._config, runner.seed)
        self.clips = list(range(min(3, len(self._dataset)))) if self.clips is None else list(self.clips)
        if any(not 0 <= i < len(self._dataset) for i in self.clips):
            raise InputError(f'GenerateHook: clips={self.clips}, but its dataset has {len(self._dataset)} clips')

    def after_iteration(self, runner) -> None:
        """Generate where it is due."""
        if runner.iter % self.interval and runner.iter != runner.max_iters:
            return
        on_main_process(lambda: self._look(runner))

    def _look(self, runner) -> None:
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
                    batch = default_collate([self._dataset[index]])
                    batch.update({key: batch[key][:, :self.max_frames] for key in TIME_KEYS if key in batch})
                    for result in model.test_step(batch):
                        self._write(runner, folder, result)
            finally:
                model.train()
        return folder

    def _write(self, runner, folder: Path, result: dict) -> None:
        rows = {'real': result['real'], 'pose': result['pose_maps'], 'generated': result['generated']}
        shown = sorted({int(i) for i in np.linspace(0, len(result['generated']) - 1, self.columns).round()})
        labels = [[f'{name} {t}' if i == 0 else str(t) for i, t in enumerate(shown)] for name in rows]
        sheet = contact_sheet([[frames[t] for t in shown] for frames in rows.values()], labels)
        path = folder / plain_name(f'{runner.iter:07d}_{result["clip"]}')
        write_file(f'{path}.png', cv2.imencode('.png', sheet[..., ::-1])[1].tobytes())
        with VideoWriter(f'{path}.mp4', result.get('fps', 25), overwrite=True) as video:
            for frames in zip(*rows.values()):
                video.write(np.concatenate(frames, 1))
        runner.visualizer.add_image(f'generate/{result["clip"]}', sheet, step=runner.iter)
