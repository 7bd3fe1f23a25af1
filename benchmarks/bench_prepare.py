"""Frames a second of each stage of preparing a clip: ``python benchmarks/bench_prepare.py VIDEO``.

Compared, in the same run, with the straightforward way: one frame at a time through every stage, OpenCV's reader, Pillow's resizing,
part labels by a loop of filled shapes over ten full-size masks, PNGs at OpenCV's defaults. Estimators are the same on both sides.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from toolkit.clips.clip import ClipWriter
from toolkit.clips.crop import Crop, person_crop
from toolkit.masks.parts import part_labels
from toolkit.preparing.parts import build_parts
from toolkit.registry import load_plugins
from toolkit.skeletons import HEAD_JOINTS, LIMB_PARTS, TORSO_JOINTS, torso_scale
from toolkit.video.io import read_video


class Stopwatch:
    """Seconds by stage."""

    def __init__(self):
        self.seconds = {}

    def __call__(self, stage: str, function):
        """Call, and add the time to the stage."""
        start = time.perf_counter()
        result = function()
        self.seconds[stage] = self.seconds.get(stage, 0) + time.perf_counter() - start
        return result


def toolkit_way(path: Path, parts, count: int, size: tuple[int, int], folder: Path) -> tuple[Stopwatch, Crop, int]:
    """Whole chunks through every stage, as :func:`toolkit.preparing.prepare.prepare_video` does; with how many frames there were."""
    estimator, edge_detector, segmentor = parts
    watch = Stopwatch()
    frames = watch('decode', lambda: [frame for frame, _ in itertools.islice(read_video(path), count)])
    poses = watch('poses', lambda: estimator(np.stack(frames)))
    crop = person_crop(poses, *frames[0].shape[:2], *size)
    small = watch('crop', lambda: np.stack([crop.frame(frame) for frame in frames]))
    poses = crop.pose(poses)
    masks = watch('masks', lambda: segmentor(small, poses))
    edges = watch('edges', lambda: edge_detector(small))
    labels = watch('parts', lambda: [part_labels(pose, mask) for pose, mask in zip(poses, masks)])
    writer = ClipWriter(folder / 'clip', 'clip', 'person', 'action', *size, 25)
    watch('write', lambda: [writer.add(*items) for items in zip(small, poses, edges, masks, labels)])
    return watch, crop, writer.num_frames


def straightforward_way(path: Path, parts, count: int, crop: Crop, folder: Path) -> Stopwatch:
    """One frame at a time."""
    estimator, edge_detector, segmentor = parts
    watch, capture = Stopwatch(), cv2.VideoCapture(str(path))
    for t in range(count):
        ok, bgr = watch('decode', capture.read)
        if not ok:
            break
        frame = watch('decode', lambda: cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))  # noqa: B023
        pose = crop.pose(watch('poses', lambda: estimator(frame[None])[0]))  # noqa: B023
        box = (crop.x, crop.y, crop.x + crop.w, crop.y + crop.h)
        small = watch('crop', lambda: np.asarray(
            Image.fromarray(frame).crop(box).resize((crop.width, crop.height), Image.Resampling.LANCZOS)))  # noqa: B023
        mask = watch('masks', lambda: segmentor(small[None], pose[None])[0])  # noqa: B023
        edge = watch('edges', lambda: edge_detector(small[None])[0])  # noqa: B023
        labels = watch('parts', lambda: loop_over_parts(pose, mask))  # noqa: B023
        pictures = dict(frame=small[..., ::-1], mask=(mask * 255).astype(np.uint8), edge=(edge * 255).astype(np.uint8), parts=labels)
        watch('write', lambda: [cv2.imwrite(str(folder / f'{kind}{t}.png'), p) for kind, p in pictures.items()])  # noqa: B023
    return watch


def loop_over_parts(pose: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Ten filled shapes, one full-size mask each."""
    labels, radius = np.zeros(mask.shape, np.uint8), max(1, int(.2 * torso_scale(pose)))
    for part in range(10):
        shape = np.zeros(mask.shape, np.uint8)
        joints = TORSO_JOINTS if part == 0 else HEAD_JOINTS if part == 1 else LIMB_PARTS[part]
        points = np.rint(pose[[j for j in joints if pose[j, 2] > 0], :2]).astype(np.int32)
        if part == 0 and len(points) == 4:
            cv2.fillConvexPoly(shape, points, 1)
        elif part == 1 and len(points):
            cv2.circle(shape, tuple(points.mean(0).astype(int).tolist()), 2 * radius, 1, -1)
        elif len(points) == 2:
            cv2.line(shape, points[0].tolist(), points[1].tolist(), 1, 2 * radius)
        labels[(shape > 0) & (mask > .5)] = part + 1
    return labels


def main() -> None:
    """Parse the command line and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('video', type=Path)
    parser.add_argument('--frames', type=int, default=60, help='at most (default 60)')
    parser.add_argument('--size', type=int, nargs=2, default=(384, 256), metavar=('H', 'W'))
    for part in ('pose', 'edges', 'mask'):
        parser.add_argument(f'--{part}', help='type of the part (default as in tools/prepare_data.py)')
    args = parser.parse_args()
    load_plugins()
    parts, configs = build_parts(*(dict(type=t) if t else None for t in (args.pose, args.edges, args.mask)))
    first = np.stack([next(iter(read_video(args.video)))[0]])
    parts[2](first, parts[0](first))
    with tempfile.TemporaryDirectory() as folder:
        ours, crop, count = toolkit_way(args.video, parts, args.frames, tuple(args.size), Path(folder))
        plain = straightforward_way(args.video, parts, count, crop, Path(folder))
    print(f'{args.video.name}, {count} frames to {args.size[0]} x {args.size[1]}, {", ".join(c["type"] for c in configs.values())}')
    print(f'{"frames a second":<16} {"toolkit":>9} {"straightforward":>16} {"times":>6}')
    for stage in [*ours.seconds, 'all']:
        a, b = (sum(w.seconds.values()) if stage == 'all' else w.seconds[stage] for w in (ours, plain))
        print(f'{stage:<16} {count / a:>9.1f} {count / b:>16.1f} {b / a:>6.2f}')


if __name__ == '__main__':
    main()
