"""Milliseconds an item of the unpaired data set: ``python benchmarks/bench_unpaired.py [CLIPS]``.

Compared, in the same run and on the same clips, with the straightforward way: the complete item of each window, with edges, parts,
content frame, stick figures and regions, of which frames, masks and poses are kept. Both give the same bits, which is checked. Without
CLIPS a few synthetic clips are rendered first. Target: at least five times as fast.
"""

import argparse
import tempfile
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

from toolkit.datasets.unpaired import UnpairedClips
from toolkit.datasets.windows import ClipWindows
from toolkit.registry import TRANSFORMS

TRANSFORM = dict(type='RandomFlip')
KEPT = ('frames', 'masks', 'poses')


def straightforward(root: str, data: UnpairedClips) -> Callable[[int], dict]:
    """Items made of complete ones."""
    flip, state = TRANSFORMS.build(dict(TRANSFORM)), {}
    windows = ClipWindows(root, window=1, transforms=[lambda sample, rng: flip(sample, np.random.default_rng(state['key']))])

    def item(index: int) -> dict:
        chosen = int(np.random.default_rng((1, 0, 0, index)).integers(len(windows)))
        out = {}
        for name, place, seed in (('a', index, 0), ('b', chosen, 1)):
            state['key'] = (seed, 0, index)
            whole = windows[place]
            out[name] = {key: whole[key] for key in KEPT}
        return out

    return item


def milliseconds(item: Callable[[int], dict], order: list[int]) -> float:
    """An item, on average."""
    start = time.perf_counter()
    for index in order:
        item(index)
    return 1e3 * (time.perf_counter() - start) / len(order)


def main() -> None:
    """Parse the command line and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('clips', nargs='?', help='folder of prepared clips (default: synthetic ones)')
    parser.add_argument('--size', type=int, nargs=2, default=(384, 256), metavar=('H', 'W'), help='of the synthetic clips')
    parser.add_argument('--items', type=int, default=100, help='for each line (default 100)')
    args = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        root = args.clips or folder
        if not args.clips:
            ClipWindows(root, synthetic=dict(height=args.size[0], width=args.size[1], actors=2, actions=2, frames=16, num_workers=2))
        data = UnpairedClips(root, root, transforms=[TRANSFORM])
        old = straightforward(root, data)
        order = np.random.default_rng(0).integers(len(data), size=args.items).tolist()
        for index in order[:10]:
            mine, other = data[index], old(index)
            assert all(torch.equal(mine[name][key], other[name][key]) for name in 'ab' for key in KEPT)
        before, now = milliseconds(old, order), milliseconds(data.__getitem__, order)
        print(f'{len(data)} items, of two frames of {data.a.windows.size[0]} x {data.a.windows.size[1]} each, ms an item:')
        print(f'complete items, a part kept {before:8.1f}\nUnpairedClips              {now:8.1f}   {before / now:.1f} times as fast')


if __name__ == '__main__':
    main()
