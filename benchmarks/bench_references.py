"""Poses a second for which the nearest frames are found: ``python benchmarks/bench_references.py [FRAMES]``.

The k-d tree of :class:`toolkit.datasets.references.PoseSearch` is compared, in the same run and for the same poses, with comparing
every frame. The poses are of somebody whose limbs swing at random and who turns round; of each joint some are missing. Printed are also
the share of answers that are equal, and by how much the cost of the others is larger.
"""

import argparse
import time

import numpy as np

from toolkit.datasets.references import PoseSearch, features

LIMBS = ((1, 2, .33, 0), (2, 3, .6, 90), (3, 4, .5, 90), (1, 5, .33, 180), (5, 6, .6, 90), (6, 7, .5, 90), (1, 8, 1.02, 80),
         (8, 9, .9, 90), (9, 10, .9, 90), (1, 11, 1.02, 100), (11, 12, .9, 90), (12, 13, .9, 90), (1, 0, .35, -90), (0, 14, .1, -135),
         (0, 15, .1, -45), (14, 16, .15, 180), (15, 17, .15, 0))
"""(from, to, length, mean angle in degrees) of each limb."""


def swinging(count: int, seed: int, missing: float) -> np.ndarray:
    """(N, 18, 3) poses of one video in which angles drift."""
    rng = np.random.default_rng(seed)
    steps = np.arange(count)[:, None] / 25
    rate, phase = rng.uniform(.05, .6, (2, 3, len(LIMBS)))
    waves = sum(np.sin(2 * np.pi * (rate[i] * steps + phase[i])) for i in range(3))
    angles = np.deg2rad([limb[3] for limb in LIMBS]) + .35 * waves
    turn = np.cos(.7 * np.sin(steps * .11) + (steps * .07))
    poses = np.zeros((count, 18, 3), np.float32)
    poses[..., 2] = 1
    for i, (start, stop, length, _) in enumerate(LIMBS):
        step = length * np.stack([np.cos(angles[:, i]), np.sin(angles[:, i])], 1)
        poses[:, stop, :2] = poses[:, start, :2] + step * np.concatenate([turn, np.ones_like(turn)], 1)
    poses[..., :2] = poses[..., :2] * 50 + 100 + rng.normal(0, .5, (count, 18, 2))
    poses[rng.random((count, 18)) < missing] = 0
    return poses


def timed(search: PoseSearch, poses: np.ndarray) -> tuple[list[int], float]:
    """The best frame of each pose, and poses a second."""
    start = time.perf_counter()
    found = [search.nearest(pose, 2)[0] for pose in poses]
    return found, len(poses) / (time.perf_counter() - start)


def main() -> None:
    """Parse the command line and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('frames', nargs='?', type=int, default=100_000, help='frames to choose from (default 100000)')
    parser.add_argument('--poses', type=int, default=200, help='poses asked for (default 200)')
    args = parser.parse_args()
    print(f'2 of {args.frames} frames for each of {args.poses} poses:')
    print(f'{"joints missing":<16}{"tree built in":>14}{"tree":>12}{"every frame":>14}{"equal":>8}{"cost of others":>16}')
    for missing in (0., .02, .1):
        poses, numbers = swinging(args.frames, 1, missing), np.arange(args.frames)
        start = time.perf_counter()
        tree = PoseSearch(poses, numbers * 0, numbers)
        built = time.perf_counter() - start
        asked = swinging(args.frames, 2, missing)[::max(1, args.frames // args.poses)][:args.poses]
        (fast, quick), (all_, slow) = timed(tree, asked), timed(PoseSearch(poses, numbers * 0, numbers, few=args.frames), asked)
        points, seen = features(asked)
        costs = np.array([[tree.costs(point, there, np.array([row]))[0] for row in pair]
                          for point, there, pair in zip(points, seen, zip(fast, all_))])
        other = costs[np.array(fast) != np.array(all_)]
        worse = f'+{100 * (other[:, 0] / other[:, 1] - 1).mean():.1f} %' if len(other) else '-'
        print(f'{missing:<16.0%}{built:>12.2f} s{quick:>10.0f}/s{slow:>12.0f}/s{np.mean(np.equal(fast, all_)):>8.0%}{worse:>16}')


if __name__ == '__main__':
    main()
