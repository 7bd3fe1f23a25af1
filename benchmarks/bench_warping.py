"""Time warping and drawing at 384x256 on one core, against a plain loop over parts with cv2.warpAffine, in one run.

    python benchmarks/bench_warping.py
    python benchmarks/bench_warping.py --channels 4 --batch 8 --device cuda

A synthetic walk of one person is warped from its first frame. Both ways do the whole job for one target frame: fit the transforms, warp
``--channels`` maps and the coverage, merge. The OpenCV loop is given its transforms for free in one line of the table. Reports the
median milliseconds per frame, frames per second, and the largest difference between both results. The ways alternate, so that a busy
machine harms them alike; on the CPU with one thread the clock is the process's CPU time, which waiting for a busy core does not count.
Target: 100 frames a second on one core for drawing and warping the edge channel.
"""

import argparse
import statistics
import time

import cv2
import numpy as np
import torch

from toolkit.masks.geometry import part_shapes
from toolkit.masks.parts import part_labels
from toolkit.masks.regions import pose_regions
from toolkit.poses.draw import draw_pose
from toolkit.skeletons import MIRROR_PART, P
from toolkit.warpers.affine import part_affines
from toolkit.warpers.part_affine import PartAffineWarper, Source

STANDING = np.array([
    (128, 60), (128, 96), (98, 98), (84, 145), (78, 188), (158, 98), (172, 145), (180, 188), (110, 206), (108, 272), (107, 338),
    (146, 206), (148, 272), (149, 338), (121, 53), (135, 53), (112, 58), (144, 58)], np.float32)
SWING = {3: (14, 0), 4: (30, -14), 6: (-14, 0), 7: (-30, -14), 9: (-12, 0), 10: (-26, -8), 12: (12, 0), 13: (26, -8)}


def walk(frames: int, height: int, width: int) -> np.ndarray:
    """(T, K, 3) poses of a person who swings arms and legs."""
    poses = np.ones((frames, len(STANDING), 3), np.float32)
    for t in range(frames):
        phase = np.sin(2 * np.pi * t / 24)
        points = STANDING + (8 * np.cos(2 * np.pi * t / 24), 0)
        for joint, swing in SWING.items():
            points[joint] += phase * np.array(swing)
        poses[t, :, :2] = points * (width / 256, height / 384)
    return poses


def opencv_loop(maps: np.ndarray, parts: np.ndarray, matrices: np.ndarray, valid: np.ndarray, mirrored: np.ndarray):
    """Warp every part's masked full frame with cv2.warpAffine and merge by maximum: maps (C, H, W) and coverage (H, W)."""
    height, width = parts.shape
    merged, coverage = np.zeros_like(maps), np.zeros((height, width), np.float32)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for part in range(P):
        if valid[part]:
            mask = (parts == (MIRROR_PART[part] if mirrored[part] else part) + 1).astype(np.float32)
            np.maximum(coverage, cv2.warpAffine(mask, matrices[part], (width, height), flags=flags), out=coverage)
            for source, target in zip(maps, merged):
                np.maximum(target, cv2.warpAffine(source * mask, matrices[part], (width, height), flags=flags), out=target)
    return merged, coverage


def main() -> None:
    """Run the benchmark and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--size', type=int, nargs=2, default=(384, 256), metavar=('H', 'W'))
    parser.add_argument('--channels', type=int, default=1, help='number of maps; 1 = the edge channel')
    parser.add_argument('--batch', type=int, default=8, help='target frames per call of the warper')
    parser.add_argument('--frames', type=int, default=48)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--device', default='cpu')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    height, width = args.size
    poses = walk(args.frames, height, width)
    mask = part_shapes(poses[0], height, width).any(0).astype(np.float32)
    parts = part_labels(poses[0], mask)
    noise = np.random.default_rng(0).uniform(0, 1, (args.channels, height, width)).astype(np.float32)
    maps = np.stack([cv2.GaussianBlur(m, (0, 0), 2) for m in noise])
    device_maps = torch.from_numpy(maps)[None].to(args.device)
    device_parts = torch.from_numpy(parts)[None].to(args.device)
    device_poses = torch.from_numpy(poses).to(args.device)

    def warp(warper: PartAffineWarper, start: int, batch: int, source: Source | None = None):
        targets = device_poses[start:start + batch]
        n = len(targets)
        result = warper(
            device_maps.expand(n, -1, -1, -1), device_poses[:1].expand(n, -1, -1), targets, device_parts.expand(n, -1, -1), source)
        if args.device != 'cpu':
            torch.cuda.synchronize()
        return result

    def transforms(t: int):
        return [v[0].numpy() for v in part_affines(torch.from_numpy(poses[:1]), torch.from_numpy(poses[t:t + 1]))]

    known = [transforms(t) for t in range(args.frames)]
    ours, plain = PartAffineWarper(), PartAffineWarper(joint_overlap=0)
    each, prepared = range(args.frames), ours.prepare(device_poses[:1], device_parts)
    ways = {
        f'warper, batches of {args.batch}': lambda: [warp(ours, t, args.batch) for t in range(0, args.frames, args.batch)],
        'warper, one frame a call': lambda: [warp(ours, t, 1) for t in each],
        'warper, one frame a call, source prepared once': lambda: [warp(ours, t, 1, prepared) for t in each],
        f'warper without joint overlap, batches of {args.batch}':
            lambda: [warp(plain, t, args.batch) for t in range(0, args.frames, args.batch)],
        'OpenCV loop': lambda: [opencv_loop(maps, parts, *transforms(t)) for t in each],
        'OpenCV loop, transforms given': lambda: [opencv_loop(maps, parts, *known[t]) for t in each],
        'draw_pose': lambda: [draw_pose(poses[t], height, width) for t in each],
        'part_labels': lambda: [part_labels(poses[t], mask) for t in each],
        'pose_regions': lambda: [pose_regions(poses[t], height, width) for t in each],
    }
    ways['draw_pose + warper, one frame a call'] = lambda: [(draw_pose(poses[t], height, width), warp(ours, t, 1)) for t in each]
    clock, unit = (time.process_time, 'CPU time') if args.device == 'cpu' and args.threads == 1 else (time.perf_counter, 'wall time')
    times = {name: [] for name in ways}
    for repeat in range(args.repeats + 1):
        for name, run in ways.items():
            start = clock()
            run()
            if repeat:
                times[name].append((clock() - start) / args.frames * 1e3)
    print(f'{height}x{width}, {args.channels} channel(s) + coverage, {args.threads} thread(s), {args.device}, {unit}')
    for name, values in times.items():
        median = statistics.median(values)
        print(f'{name:55s} {median:7.2f} ms  {1e3 / median:7.0f} frames/s  (best {min(values):.2f} ms)')
    difference = max(
        np.abs(warp(plain, t, 1).maps[0].cpu().numpy() - opencv_loop(maps, parts, *known[t])[0]).max()
        for t in range(0, args.frames, 6))
    equal = all(torch.equal(a, b) for t in each for a, b in zip(warp(ours, t, 1), warp(ours, t, 1, prepared)))
    print(f'prepared once or with each frame: {"the same bits" if equal else "DIFFERENT"}')
    print(f'largest difference to the OpenCV loop (without joint overlap): {difference:.2e}')


if __name__ == '__main__':
    main()
