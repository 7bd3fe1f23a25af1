"""Do people stand as the video that drives them? Each clip is driven by the clips of somebody else, with no training on anybody.

    python benchmarks/bench_transfer.py data/people --clips no student school --size 96x64 --generator any_person.safetensors

The person of ``--clips`` drives; every other person of the folder is painted, from all of their clips but those of ``--clips``. Poses
are not fitted to the other body, as in an unpaired transfer. Prints PCK against the pose that drives, by the estimator of
``tools/test.py``, for each pair and their mean, and writes a sheet of three moments with ``--sheet``.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from toolkit.cli import main_guard, numbers
from toolkit.clips.clip import Clip, find_clips
from toolkit.clips.same_person import DEFAULT_PERSON
from toolkit.clips.size import check_shape
from toolkit.datasets.transforms import resize_image, scale_pose
from toolkit.files import write_file
from toolkit.inference.loading import Trained, load
from toolkit.inference.painting import stream
from toolkit.metrics.pck import PCK
from toolkit.outputs import refuse_existing
from toolkit.packaged import PRETRAINED, find_packaged
from toolkit.registry import load_plugins
from toolkit.structures import InputError

SCORES = 'all@0.2', 'all@0.1', 'limbs@0.2', 'limbs@0.1'
MOMENTS = 3


def transfer(trained: Trained, driving: Clip, person: list[Clip], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, dict]:
    """Paint a person in the movement of another one.

    Args:
        trained: a model with references.
        driving: whose poses are painted.
        person: clips of who is painted.
        size: (H, W) of the frames.

    Returns:
        Frames of the driving clip and painted ones, both (T, H, W, 3) uint8 RGB, and the shares of :class:`PCK` by name.
    """
    for clip in (driving, *person):
        check_shape(clip, size)
    poses = scale_pose(driving.poses, size[0] / driving.height, size[1] / driving.width).astype(np.float32)
    painted = np.stack(list(stream(trained, person[0], poses, size, references=person[1:])))
    real = np.stack([resize_image(driving.frame(t), *size) for t in range(len(driving))])
    mask = np.stack([resize_image(driving.mask_u8(t), *size) > 127 for t in range(len(driving))])
    pck, state = PCK(), {}
    if pck.missing:
        raise InputError(pck.missing)
    pck.update(state, dict(clip=driving.folder.name, generated=painted, real=real, mask=mask, poses=poses, person_height=None,
                           scored=np.ones(len(driving), bool)))
    return real, painted, {key: measure.value for key, measure in pck.compute(state).items() if key in SCORES}


@main_guard
def main() -> None:
    """Parse the command line, paint every pair and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('root', type=Path, help='prepared clips of several persons')
    parser.add_argument('--clips', nargs='+', required=True, metavar='NAME', help='clips that drive')
    parser.add_argument('--size', type=numbers('HEIGHTxWIDTH, for example 192x128', 2, int, 'x'), default=(192, 128), metavar='HxW')
    parser.add_argument('--generator', default=PRETRAINED, metavar='FILE', help='a checkpoint with references')
    parser.add_argument('--sheet', type=Path, metavar='PNG', help='picture to write: above what drives, below what is painted')
    args = parser.parse_args()
    load_plugins()
    if args.sheet:
        refuse_existing([args.sheet])
    clips = {clip.folder.name: clip for clip in find_clips(args.root)}
    if missing := [name for name in args.clips if name not in clips]:
        raise InputError(f'{args.root} has no clip {", ".join(missing)}; it has {", ".join(clips)}')
    if unnamed := [name for name, clip in clips.items() if clip.person == DEFAULT_PERSON]:
        raise InputError(f'nothing says who is seen in {", ".join(unnamed)} of {args.root}: prepare them with --person NAME')
    people: dict[str, list[Clip]] = {}
    for name, clip in clips.items():
        if name not in args.clips:
            people.setdefault(clip.person, []).append(clip)
    trained, total, columns = load(find_packaged(args.generator)), [], []
    for name in args.clips:
        for person, footage in people.items():
            if person != clips[name].person:
                real, painted, shares = transfer(trained, clips[name], footage, args.size)
                total.append(shares)
                print(f'{person:<16} by {name:<16} ' + '   '.join(f'{key} {shares[key]:.3f}' for key in SCORES), flush=True)
                moments = np.linspace(0, len(real) - 1, MOMENTS + 2).astype(int)[1:-1]
                columns += [np.vstack([real[t], painted[t]]) for t in moments]
    if not total:
        raise InputError(f'{args.root}: nobody but who drives is seen in clips that do not drive')
    print(f'{"mean":<36} ' + '   '.join(f'{key} {np.mean([shares[key] for shares in total]):.3f}' for key in SCORES))
    if args.sheet:
        write_file(args.sheet, cv2.imencode('.png', np.hstack(columns)[..., ::-1])[1].tobytes())


if __name__ == '__main__':
    main()
