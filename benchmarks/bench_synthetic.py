"""How well real pose networks see the synthetic people, and how fast they are rendered.

Renders frames of every actor and action and compares estimators with the truth. PCK@a = share of joints within a x torso diagonal
(right shoulder to left hip) of the true joint; a missing joint is wrong. Reference (prototype renderer, 416 frames): MediaPipe found
1.0, PCK@0.2 .999, mask IoU .961; OpenPoseMobile .978; CPM .985.

    python benchmarks/bench_synthetic.py --phases 0.33 0.67
"""

import argparse
import time
from collections import defaultdict

import cv2
import numpy as np
import torch

from toolkit import skeletons as sk
from toolkit.poses.decode import cell_to_pixel, refine_peak
from toolkit.registry import POSE_ESTIMATORS, SEGMENTORS
from toolkit.structures import MissingWeightsError
from toolkit.synthetic import SyntheticActions

ALL_JOINTS = tuple(range(sk.K))


def peaks(network: torch.nn.Module, frames: np.ndarray) -> np.ndarray:
    """Highest peak of each heatmap of the whole frame, without assembling people: (T, 18, 3)."""
    out = np.zeros((len(frames), sk.K, 3), np.float32)
    with torch.no_grad():
        for t, frame in enumerate(frames):
            image = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 127.5 - 1
            for j, heat in enumerate(network.heatmaps(image)[0][0].numpy()):
                y, x = np.unravel_index(heat.argmax(), heat.shape)
                out[t, j] = (*cell_to_pixel(np.array(refine_peak(heat, x, y))), max(float(heat.max()), 1e-3))
    return out


def hits(poses: np.ndarray, truth: np.ndarray, joints: tuple[int, ...], share: float) -> np.ndarray:
    """(T, J) bool: joints within ``share`` of the torso diagonal."""
    torso = np.linalg.norm(truth[:, sk.R_SHOULDER, :2] - truth[:, sk.L_HIP, :2], axis=-1)
    away = np.linalg.norm(poses[:, joints, :2] - truth[:, joints, :2], axis=-1)
    return (away <= share * torso[:, None]) & (poses[:, joints, 2] > 0)


def report(name: str, poses: np.ndarray, truth: np.ndarray, joints: tuple[int, ...], labels: dict[str, list[str]]) -> None:
    """Print a line of figures and the worst groups."""
    found = float((poses[..., 2] > 0).any(1).mean())
    wide, limbs = hits(poses, truth, joints, 0.2), hits(poses, truth, sk.LIMB_JOINTS, 0.2)
    line = (f'{name:<22} found {found:.3f}  PCK@.2 {wide.mean():.4f}  PCK@.1 {hits(poses, truth, joints, 0.1).mean():.4f}  '
            f'12 limb joints @.2 {limbs.mean():.4f}  joints {len(joints)}')
    print(line)
    for kind, names in labels.items():
        groups = defaultdict(list)
        for value, group in zip(limbs.mean(1), names):
            groups[group].append(value)
        worst = sorted((float(np.mean(v)), k) for k, v in groups.items())[:4]
        print(f'    limb joints, lowest {kind}: ' + ', '.join(f'{k} {v:.3f}' for v, k in worst))
    by_joint = sorted((float(v), sk.JOINTS[j]) for v, j in zip(wide.mean(0), joints))[:5]
    print('    lowest joints: ' + ', '.join(f'{k} {v:.3f}' for v, k in by_joint))


def build(registry, **config):
    """An estimator, or None with a line that says why not."""
    try:
        return registry.build(config)
    except (KeyError, ImportError, MissingWeightsError) as error:
        print(f'{config["type"]}: not measured ({str(error).splitlines()[0]})')
        return None


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--phases', type=float, nargs='+', default=[0.33, 0.67], help='where in each action, 0..1')
    parser.add_argument('--actors', type=int, nargs='+', default=list(range(13)))
    parser.add_argument('--height', type=int, default=384)
    parser.add_argument('--width', type=int, default=256)
    parser.add_argument('--estimators', nargs='+', default=['mediapipe', 'openpose', 'cpm'], choices=['mediapipe', 'openpose', 'cpm'])
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    people = SyntheticActions(args.height, args.width)
    frames, truth, masks, labels, spent, setup = [], [], [], dict(action=[], actor=[]), 0.0, 0.0
    for actor in args.actors:
        start = time.process_time()
        people.render(actor, 0, 0)
        setup += time.process_time() - start
        for action in people.action_names:
            for phase in args.phases:
                start = time.process_time()
                rendered = people.render(actor, action, round(phase * (people.frames - 1)))
                spent += time.process_time() - start
                frames.append(rendered.frame)
                truth.append(rendered.pose)
                masks.append(rendered.mask)
                labels['action'].append(action)
                labels['actor'].append(people.actor_names[actor])
    frames, truth, masks = np.stack(frames), np.stack(truth), np.stack(masks)
    print(f'{len(frames)} frames of {args.height}x{args.width}: {1000 * spent / len(frames):.2f} ms a frame of CPU time on one core, '
          f'{1000 * setup / len(args.actors):.0f} ms once per actor')
    if 'mediapipe' in args.estimators:
        measure_mediapipe(frames, truth, masks, labels)
    openpose = build(POSE_ESTIMATORS, type='OpenPoseMobile') if 'openpose' in args.estimators else None
    if openpose is not None:
        report('OpenPoseMobile peaks', peaks(openpose, frames), truth, ALL_JOINTS, labels)
        report('OpenPoseMobile people', np.concatenate([openpose(frame[None]) for frame in frames]), truth, ALL_JOINTS, labels)
    cpm = build(POSE_ESTIMATORS, type='ConvolutionalPoseMachine') if 'cpm' in args.estimators else None
    if cpm is not None:
        report('CPM in true boxes', cpm(frames, poses=truth), truth, (sk.NECK, *sk.LIMB_JOINTS), labels)


def measure_mediapipe(frames: np.ndarray, truth: np.ndarray, masks: np.ndarray, labels: dict[str, list[str]]) -> None:
    """Poses and masks of the plugin ``mediapipe_human``."""
    try:
        import mediapipe_human  # noqa: F401
    except ImportError as error:
        print(f'MediaPipe: not measured ({error}; install plugins/mediapipe_human)')
        return
    pose = build(POSE_ESTIMATORS, type='MediaPipePose', tracking=False, threshold=0.0)
    segmentor = build(SEGMENTORS, type='MediaPipeSegmentor', tracking=False)
    if pose is None or segmentor is None:
        return
    report('MediaPipe', pose(frames), truth, ALL_JOINTS, labels)
    seen, true = segmentor(frames) > 0.5, masks > 0.5
    iou = (seen & true).sum((1, 2)) / np.maximum((seen | true).sum((1, 2)), 1)
    print(f'    mask IoU: mean {iou.mean():.4f}, first percentile {np.quantile(iou, 0.01):.4f}')


if __name__ == '__main__':
    main()
