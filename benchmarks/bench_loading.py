"""Pairs of frames a second that the dataset gives: ``python benchmarks/bench_loading.py [CLIPS]``.

Compared, in the same run and on the same clips, with the straightforward way: every picture opened by Pillow in each item and made a
float tensor in [-1, 1] or [0, 1] at once. Without CLIPS a few synthetic clips are rendered first. Target: 40 pairs a second on two
cores at 384 x 256.
"""

import argparse
import tempfile
import time

import cv2
import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from toolkit.datasets.windows import ClipWindows
from toolkit.masks.regions import pose_regions
from toolkit.poses.draw import draw_pose


class StraightforwardPairs(Dataset):
    """The items of a :class:`ClipWindows` made without its care: Pillow, float32, nothing kept."""

    def __init__(self, windows: ClipWindows):
        self.windows = windows

    def __len__(self) -> int:
        return len(self.windows)

    def __getitem__(self, index: int) -> dict:
        number, start = self.windows.locate(index)
        clip = self.windows.clips[number]
        frames = [self.frame(clip, t) for t in range(start, start + self.windows.window)]
        item = {key: torch.stack([f[key] for f in frames]) for key in frames[0]}
        item.update({f'content_{key}': value for key, value in self.frame(clip, 0).items()})
        item['content_parts'] = torch.from_numpy(np.array(Image.open(clip.folder / 'parts' / '000000.png')))
        return item

    def frame(self, clip, t: int) -> dict:
        """All maps of one frame."""
        suffix = clip.manifest['frame_format']
        rgb = np.asarray(Image.open(clip.folder / 'frames' / f'{t:06d}.{suffix}').convert('RGB'), np.float32) / 127.5 - 1
        edge, mask = (np.asarray(Image.open(clip.folder / kind / f'{t:06d}.png'), np.float32) / 255 for kind in ('edges', 'masks'))
        pose = clip.poses[t]
        drawn = draw_pose(pose, clip.height, clip.width).astype(np.float32) / 255
        return dict(
            frames=torch.from_numpy(rgb.transpose(2, 0, 1).copy()), edges=torch.from_numpy(edge), masks=torch.from_numpy(mask),
            poses=torch.from_numpy(pose), pose_maps=torch.from_numpy(drawn.transpose(2, 0, 1).copy()),
            regions=torch.from_numpy(pose_regions(pose, clip.height, clip.width)))


def one_thread(worker: int) -> None:
    """As training's workers: no threads inside."""
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def rate(dataset: Dataset, workers: int, seconds: float) -> float:
    """Items a second in random order, without the workers' start."""
    order = torch.randperm(len(dataset), generator=torch.Generator().manual_seed(0)).tolist() * 1000
    loader = DataLoader(dataset, batch_size=None, sampler=order, num_workers=workers, worker_init_fn=one_thread)
    items, count = iter(loader), 0
    for _ in range(4):
        next(items)
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        next(items)
        count += 1
    return count / (time.perf_counter() - start)


def main() -> None:
    """Parse the command line and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('clips', nargs='?', help='folder of prepared clips (default: synthetic ones)')
    parser.add_argument('--size', type=int, nargs=2, default=(384, 256), metavar=('H', 'W'), help='of the synthetic clips')
    parser.add_argument('--seconds', type=float, default=4, help='for each line (default 4)')
    args = parser.parse_args()
    one_thread(0)
    with tempfile.TemporaryDirectory() as folder:
        synthetic = None if args.clips else dict(height=args.size[0], width=args.size[1], actors=2, actions=2, frames=16, num_workers=2)
        plain = ClipWindows(args.clips or folder, synthetic=synthetic)
        cached = ClipWindows(args.clips or folder, cache='decoded')
        print(f'{len(plain)} pairs from {len(plain.clips)} clips of {plain.size[0]} x {plain.size[1]}, pairs a second:')
        print(f'{"":<36} {"in the process":>15} {"2 workers":>10}')
        for name, dataset in (('straightforward (Pillow, float32)', StraightforwardPairs(plain)), ('ClipWindows', plain),
                              ("ClipWindows, cache='decoded'", cached)):
            print(f'{name:<36} {rate(dataset, 0, args.seconds):>15.1f} {rate(dataset, 2, args.seconds):>10.1f}')


if __name__ == '__main__':
    main()
