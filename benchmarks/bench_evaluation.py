"""Peak memory of an evaluation: ``python benchmarks/bench_evaluation.py``.

Clips of two lengths are measured by the evaluator, which reads, generates and measures them in parts, and, in the same run, in the
straightforward way: the whole clip as one item. Each is a process of its own. Both must give the same numbers, which is checked.
Target: memory of the evaluator does not depend on the length.
"""

import argparse
import multiprocessing
import resource
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import default_collate

from toolkit.clips.clip import ClipWriter
from toolkit.datasets.windows import ClipWindows
from toolkit.metrics.base import with_scored
from toolkit.metrics.evaluator import ClipEvaluator
from toolkit.registry import METRICS, MODELS, load_plugins

MODEL = dict(type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1),
             discriminator=dict(type='MultiscaleDiscriminator', ndf=4, num_scales=1), losses=dict(gan=dict(type='GANLoss')))
METRIC_CONFIGS = [dict(type='PSNR'), dict(type='L1'), dict(type='MaskArea'), dict(type='Sharpness'), dict(type='Temporal')]
WAYS = {'whole clips': False, 'in parts': True}


def make_clip(folder: Path, frames: int, height: int, width: int) -> None:
    """A clip of noise with a person who walks."""
    rng, rows = np.random.default_rng(0), np.arange(18)
    writer = ClipWriter(folder, folder.name, 'person', folder.name, height, width, 25)
    picture, mask = rng.integers(0, 255, (height, width, 3), np.uint8), np.zeros((height, width), np.float32)
    for t in range(frames):
        x = width // 4 + t % (width // 2)
        pose = np.stack([np.full(18, x), height * (.1 + .8 * rows / 18), np.ones(18)], 1).astype(np.float32)
        mask[:] = 0
        mask[height // 10:, x - 8:x + 8] = 1
        writer.add(np.roll(picture, t, 1), pose, mask, mask, mask.astype(np.uint8))
    writer.finish()


def measure(folder: str, in_parts: bool) -> tuple[list, float]:
    """Measure one clip: its numbers, and this process's peak memory in MiB."""
    load_plugins()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, metrics = MODELS.build(dict(MODEL)).eval(), [METRICS.build(dict(config)) for config in METRIC_CONFIGS]
    dataset = ClipWindows(folder, window=None)
    if in_parts:
        rows, = ClipEvaluator({'model': model}, dataset, metrics).measure(0, lambda samples: None).values()
    else:
        batch = default_collate([dataset[0]])
        sample = with_scored(model.test_step(batch)[0], batch)
        rows = [metric.measure(sample) for metric in metrics]
    numbers = [m['value'] for row in rows for m in row['measures'].values()]
    return numbers, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Parse the command line and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--frames', type=int, nargs=2, default=(300, 3000), metavar='N', help='lengths of the clips (default 300 3000)')
    parser.add_argument('--size', type=int, nargs=2, default=(128, 96), metavar=('H', 'W'), help='of the clips (default 128 96)')
    args = parser.parse_args()
    context = multiprocessing.get_context('spawn')
    with tempfile.TemporaryDirectory() as root:
        print(f'peak memory in MiB, clips of {args.size[0]} x {args.size[1]}\n{"frames":<12}' + ''.join(f'{n:>8}' for n in args.frames))
        found = {}
        for frames in args.frames:
            make_clip(Path(root) / f'clip{frames}', frames, *args.size)
        for way, in_parts in WAYS.items():
            for frames in args.frames:
                with ProcessPoolExecutor(1, context) as process:
                    found[way, frames] = process.submit(measure, f'{root}/clip{frames}', in_parts).result()
            print(f'{way:<12}' + ''.join(f'{found[way, frames][1]:>8.0f}' for frames in args.frames), flush=True)
        for frames in args.frames:
            whole, parts = (np.array(found[way, frames][0], float) for way in WAYS)
            assert np.allclose(whole, parts, rtol=1e-5, equal_nan=True), (frames, whole, parts)


if __name__ == '__main__':
    main()
