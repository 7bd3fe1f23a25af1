"""What the skeleton loss says about a person who is not where he should be.

Two synthetic actors, one action, the same frames. The loss is taken between frames of the one and: the other in the same pose (what a
transfer should give), the frame itself moved sideways, an empty picture, and noise; each divided by that of the empty picture. Above 1
the loss would rather have nobody. Needs the weights of OpenPoseMobile.

    TOOLKIT_WEIGHTS=weights python benchmarks/bench_skeleton_loss.py
"""

import argparse

import numpy as np
import torch

from toolkit.data.synthetic import SyntheticActions
from toolkit.losses.skeleton import SkeletonLoss
from toolkit.structures import MissingWeightsError

SHIFTS = (1, 2, 4, 6, 10)
SCALES = ((1,), (2,), (4,), (8,), (1, 2, 4, 8))


def main() -> None:
    """Render, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--height', type=int, default=96)
    parser.add_argument('--width', type=int, default=64)
    parser.add_argument('--action', default='kick')
    parser.add_argument('--maps', default='heat+paf', choices=['heat', 'heat+paf'])
    parser.add_argument('--stage', type=int, default=3)
    parser.add_argument('--min-side', type=int, default=192)
    args = parser.parse_args()
    torch.manual_seed(0)
    people = SyntheticActions(args.height, args.width, frames=48)
    real, other = (pictures(people, actor, args.action) for actor in (1, 8))
    cases = {'the other person': other, **{f'{s} px off': torch.roll(real, s, -1) for s in SHIFTS},
             'noise': torch.randn_like(real).clamp(-1, 1), 'nobody': torch.zeros_like(real)}
    print(f'{"scales":<12}' + ''.join(f'{name:>18}' for name in cases))
    for scales in SCALES:
        try:
            loss = SkeletonLoss(dict(type='OpenPoseMobile'), args.maps, args.stage, scales, min_side=args.min_side)
        except MissingWeightsError as error:
            raise SystemExit(f'error: {error}') from error
        with torch.no_grad():
            values = [loss(picture, real).item() for picture in cases.values()]
        print(f'{",".join(map(str, scales)):<12}' + ''.join(f'{value / values[-1]:>18.2f}' for value in values))


def pictures(people: SyntheticActions, actor: int, action: str) -> torch.Tensor:
    """Six frames of an action, (6, 3, H, W) in [-1, 1]."""
    frames = np.stack([people.render(actor, action, t).frame for t in range(0, people.frames, 8)])
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1


if __name__ == '__main__':
    main()
