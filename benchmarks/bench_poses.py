"""Compare pose estimators with reference landmarks on a real clip.

    TOOLKIT_WEIGHTS=... python benchmarks/bench_poses.py squats.mp4 squats.landmarks.json

Prints for each estimator that is installed the share of the 12 arm and leg joints within a quarter of the reference's torso (root mean
square of the two hip-shoulder distances); a joint that is not found is wrong. The reference is a JSON list of frames of 33 BlazePose
landmarks (x, y, z) in pixels. ConvolutionalPoseMachine finds its box in the frames by itself.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch

from toolkit.registry import POSE_ESTIMATORS, load_plugins
from toolkit.skeletons import LIMB_JOINTS, to_openpose18, torso_scale
from toolkit.structures import InputError, MissingWeightsError
from toolkit.video.io import VideoReader

ESTIMATORS = ('MediaPipePose', 'OpenPoseMobile', 'ConvolutionalPoseMachine', 'OpenPose', 'MMPoseEstimator')
RADIUS = 0.25


def read_reference(path: Path, count: int) -> np.ndarray:
    """Reference poses (T, 18, 3), all joints present.

    Raises:
        InputError: not such a file, or not as many frames as the clip has.
    """
    landmarks = np.array(json.loads(path.read_text()), np.float32)
    if landmarks.shape != (count, 33, 3):
        raise InputError(f'{path}: expected {count} frames of 33 landmarks (x, y, z), as many as the clip has, got {landmarks.shape}')
    landmarks[..., 2] = 1
    return to_openpose18(landmarks, 'blazepose33')


def share_correct(poses: np.ndarray, reference: np.ndarray) -> float:
    """Share of the arm and leg joints of (T, 18, 3) poses within a quarter of the reference's torso."""
    joints = list(LIMB_JOINTS)
    distance = np.linalg.norm(poses[:, joints, :2] - reference[:, joints, :2], axis=-1)
    return float(((distance < RADIUS * torso_scale(reference)[:, None]) & (poses[:, joints, 2] > 0)).mean())


def main() -> None:
    """Parse the command line and print a line for each estimator."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('clip', type=Path, help='a video')
    parser.add_argument('landmarks', type=Path, help='its reference landmarks')
    parser.add_argument('--estimators', nargs='+', default=ESTIMATORS, metavar='NAME')
    parser.add_argument('--threads', type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    load_plugins()
    frames = np.stack([frame for frame, _ in VideoReader(args.clip)])
    reference = read_reference(args.landmarks, len(frames))
    print(f'{args.clip.name}: {len(frames)} frames of {frames.shape[1]}x{frames.shape[2]}, {args.threads} thread(s)')
    for name in args.estimators:
        try:
            estimator = POSE_ESTIMATORS.build(dict(type=name))
        except (MissingWeightsError, ImportError, InputError) as error:
            print(f'{name:<25} not available: {error}')
            continue
        estimator(frames[:1])
        start = time.perf_counter()
        poses = estimator(frames)
        seconds = time.perf_counter() - start
        print(f'{name:<25} {share_correct(poses, reference):.3f} of the joints   {len(frames) / seconds:6.1f} frames/s')


if __name__ == '__main__':
    main()
