"""What the skeleton loss says about a person who is not where he should be.

Two synthetic actors, one action, the same frames. The loss is taken between frames of the one and: the other in the same pose (what a
transfer should give), the frame itself out of focus (as half-finished pictures are) or moved sideways, an empty picture, and noise;
each divided by that of the empty picture. Above 1 the loss would rather have nobody. Needs the weights of OpenPoseMobile;
``--checkpoint`` compares with a network of ``configs/experiments/transfer_pose_network.py``, best on its own actors:

    TOOLKIT_WEIGHTS=weights python benchmarks/bench_skeleton_loss.py
    TOOLKIT_WEIGHTS=weights python benchmarks/bench_skeleton_loss.py --room plain --stature 1.2 --min-side 128 \\
        --checkpoint work_dirs/transfer_pose_network
"""

import argparse

import numpy as np
import torch
import torch.nn.functional as F

from toolkit.losses.skeleton import SkeletonLoss
from toolkit.structures import MissingWeightsError
from toolkit.synthetic import SyntheticActions

SHIFTS = (1, 2, 4, 6, 10)
SCALES = ((1,), (2,), (4,), (8,), (1, 2, 4, 8), (2, 4, 8, 16))
BLUR = 5


def main() -> None:
    """Render, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--height', type=int, default=96)
    parser.add_argument('--width', type=int, default=64)
    parser.add_argument('--action', default='kick')
    parser.add_argument('--room', default='furnished', choices=['furnished', 'plain'])
    parser.add_argument('--stature', type=float, default=1.0)
    parser.add_argument('--checkpoint', metavar='PATH', help='checkpoint or work dir of a trained pose network, used without enlarging')
    parser.add_argument('--maps', default='heat+paf', choices=['heat', 'heat+paf'])
    parser.add_argument('--stage', type=int, default=3)
    parser.add_argument('--min-side', type=int, default=192)
    args = parser.parse_args()
    torch.manual_seed(0)
    people = SyntheticActions(args.height, args.width, frames=48, room=args.room, stature=args.stature)
    real, other = (pictures(people, actor, args.action) for actor in (1, 8))
    blurred = F.avg_pool2d(F.pad(real, [BLUR // 2] * 4, mode='replicate'), BLUR, 1)
    cases = {'the other person': other, 'blurred': blurred, **{f'{s} px off': torch.roll(real, s, -1) for s in SHIFTS},
             'noise': torch.randn_like(real).clamp(-1, 1), 'nobody': torch.zeros_like(real)}
    networks = {'OpenPoseMobile': dict(pose_network=dict(type='OpenPoseMobile'), stage=args.stage, min_side=args.min_side)}
    if args.checkpoint:
        trained = dict(type='TrainedPoseNetwork', checkpoint=args.checkpoint)
        networks['TrainedPoseNetwork'] = dict(pose_network=trained, min_side=None)
    for name, options in networks.items():
        print(f'{name}\n{"scales":<12}' + ''.join(f'{case:>18}' for case in cases))
        for scales in SCALES:
            try:
                loss = SkeletonLoss(maps=args.maps, scales=scales, **options)
            except MissingWeightsError as error:
                raise SystemExit(f'error: {error}') from error
            with torch.no_grad():
                values = [loss(picture, real).item() for picture in cases.values()]
            print(f'{",".join(map(str, scales)):<12}' + ''.join(f'{value / values[-1]:>18.2f}' for value in values)
                  + f'   nobody = {values[-1]:.5f}')


def pictures(people: SyntheticActions, actor: int, action: str) -> torch.Tensor:
    """Six frames of an action, (6, 3, H, W) in [-1, 1]."""
    frames = np.stack([people.render(actor, action, t).frame for t in range(0, people.frames, 8)])
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 127.5 - 1


if __name__ == '__main__':
    main()
