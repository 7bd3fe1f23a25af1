"""What fills the empty scene where a person was always in the way: ``python benchmarks/bench_completion.py data/mine``.

Of each prepared clip the scene is known but where the person always covers it. Holes of that shape are cut beside, where the truth
is known, and filled from the rest of the picture and, in the same run, from around (Telea 2004). Compared are LPIPS of the hole's box,
with the true picture around the hole, and seconds of processor time.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import cv2
import numpy as np

from toolkit.clips.clip import find_clips
from toolkit.datasets.completion import RADIUS, complete
from toolkit.datasets.plate import seen_background
from toolkit.metrics.lpips import LPIPSNetwork
from toolkit.structures import InputError

SMALL = 500
"""Holes of fewer pixels do not count."""


def telea(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Fill a hole from around."""
    return cv2.inpaint(picture, hole.astype(np.uint8), RADIUS, cv2.INPAINT_TELEA)


WAYS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {'from around': telea, 'from the rest': complete}


def moved(hole: np.ndarray, share: float) -> Iterator[np.ndarray]:
    """The hole, to the left and to the right by a share of the picture's width, where the truth is known."""
    step = round(share * hole.shape[1])
    for shift in (-step, step):
        new = np.roll(hole, shift, 1) & ~hole
        new[:, slice(None, shift) if shift > 0 else slice(shift, None)] = False
        if new.sum() >= SMALL:
            yield new


def main() -> None:
    """Measure and print, a line a hole."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('roots', nargs='+', metavar='DIR', help='folders of prepared clips, of still cameras')
    parser.add_argument('--shift', type=float, default=.35, help='of the width of a picture (default .35)')
    parser.add_argument('--pictures', metavar='FILE.png', help='write truth and results here, a row a hole')
    args = parser.parse_args()
    clips = [clip for root in args.roots for clip in find_clips(root)]
    if not clips:
        raise InputError(f'{", ".join(args.roots)}: no prepared clips; make some with tools/prepare_data.py')
    network, found, sheet = LPIPSNetwork('squeeze'), [], []
    for clip in clips:
        picture, hole = seen_background(clip)
        for new in moved(hole, args.shift):
            ys, xs = np.nonzero(new)
            box, line, row = (slice(ys.min(), ys.max() + 1), slice(xs.min(), xs.max() + 1)), [], [picture]
            for way in WAYS.values():
                start = time.process_time()
                filled = way(picture, hole | new)
                seconds = time.process_time() - start
                shown = np.where(new[..., None], filled, picture)
                line.append((float(network(shown[box][None], picture[box][None])[0]), seconds))
                row.append(shown)
            found.append(line)
            sheet.append(np.hstack(row))
            print(f'{clip.key}, {new.sum()} pixels: ' + ', '.join(
                f'{name} {value:.3f} ({seconds:.2f} s)' for name, (value, seconds) in zip(WAYS, line)), flush=True)
    means = np.mean(found, 0)
    print('mean: ' + ', '.join(f'{name} {value:.3f} ({seconds:.2f} s)' for name, (value, seconds) in zip(WAYS, means)))
    if args.pictures:
        height = max(row.shape[0] for row in sheet)
        width = max(row.shape[1] for row in sheet)
        padded = [np.pad(row, ((0, height - row.shape[0]), (0, width - row.shape[1]), (0, 0))) for row in sheet]
        cv2.imwrite(args.pictures, np.vstack(padded)[..., ::-1])


if __name__ == '__main__':
    main()
