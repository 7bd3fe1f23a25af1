"""Time the color augmentation against the plain route through scikit-image, on the same frames in the same run.

    python benchmarks/bench_recolor.py                    # synthetic people, both garments, colors drawn a clip
    python benchmarks/bench_recolor.py --clip clips/walk  # a prepared clip
    python benchmarks/bench_recolor.py --colorizers LabShift LevinOptimization

Prints milliseconds a frame on one core (processor time of the process, median of ``--repeats``; ways alternate): finding the
garments, recoloring, and both with learning the clip's colors; and the plain route with the same regions: ``rgb2lab`` of the whole
frame, shift, composite, ``lab2rgb``. At the end, how much lightness each way changed: the plain route clips what sRGB cannot show.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import skimage.color
import torch

from toolkit.clips.clip import Clip
from toolkit.colors.draws import REGIONS
from toolkit.colors.garments import fit_garment_colors
from toolkit.colors.lab_uint8 import rgb8_to_lab
from toolkit.colors.recolor import Recolor, apply_colors, build_colorizer, clip_garment_masks, recolor_frames
from toolkit.synthetic.actions import SyntheticActions

COLORS = dict(up=(-35., 30.), down=(30., -40.))


def load(args: argparse.Namespace) -> tuple[np.ndarray, ...]:
    """Frames, parts, masks and poses to recolor."""
    if args.clip:
        clip = Clip(args.clip)
        chosen = range(min(args.frames, len(clip)))
        arrays = [clip.frames(chosen), *(np.stack([read(t) for t in chosen]) for read in (clip.parts, clip.mask_u8))]
        return *arrays, clip.poses[:len(chosen)]
    people = SyntheticActions(height=args.size[0], width=args.size[1])
    rendered = [people.render(actor=2, action=3, t=5 * t) for t in range(args.frames)]
    return tuple(np.stack([getattr(r, name) for r in rendered]) for name in ('frame', 'parts', 'mask', 'pose'))


def plain(frames: np.ndarray, weights: np.ndarray, kappa: float = .6) -> np.ndarray:
    """The textbook way with whole frames and scikit-image."""
    out = []
    for frame, *shares in zip(frames, *weights):
        lab = skimage.color.rgb2lab(frame)
        for region, share in zip(REGIONS, shares):
            ab, share = lab[..., 1:], share[..., None]
            mean = (share * ab).sum((0, 1)) / max(share.sum(), 1e-6)
            lab[..., 1:] = share * (COLORS[region] + kappa * (ab - mean)) + (1 - share) * ab
        out.append(np.rint(255 * skimage.color.lab2rgb(lab)).astype(np.uint8))
    return np.stack(out)


def measure(ways: dict[str, Callable], frames: int, repeats: int) -> dict[str, float]:
    """Median milliseconds a frame of each way."""
    times = {name: [] for name in ways}
    for i in range(repeats + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if i:
                times[name].append(1000 * (time.process_time() - start) / frames)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--clip', help='prepared clip; default: synthetic people')
    parser.add_argument('--size', type=int, nargs=2, default=(384, 256), metavar=('H', 'W'))
    parser.add_argument('--frames', type=int, default=16)
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--colorizers', nargs='+', default=['LabShift'])
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    frames, parts, masks, poses = data = load(args)
    colors = fit_garment_colors(*data)
    weights = clip_garment_masks(*data, colors)
    targets = {region: (COLORS[region], None) for region in REGIONS}
    shares = ', '.join(f'{region} {weight.mean():.1%}' for region, weight in zip(REGIONS, weights))
    print(f'{len(frames)} frames of {frames.shape[1]}x{frames.shape[2]}; person {(parts > 0).mean():.1%} of the frame, {shares}')
    ways = {'learn the colors': lambda: fit_garment_colors(*data), 'find the garments': lambda: clip_garment_masks(*data, colors)}
    for name in args.colorizers:
        colorizer = build_colorizer(dict(type=name))
        ways[f'{name}: recolor'] = lambda c=colorizer: apply_colors(frames, weights, poses, targets, c, [], parts)
        ways[f'{name}: all of it, colors given'] = lambda c=colorizer: recolor_frames(*data, **COLORS, colorizer=c, colors=colors)
        ways[f'{name}: all of it'] = lambda c=colorizer: recolor_frames(*data, **COLORS, colorizer=c)
        recolor = Recolor('both', per='frame', colorizer=colorizer, keep=0)
        ways[f'{name}: all of it, drawn for each frame'] = lambda r=recolor: r(*data, np.random.default_rng(0), colors)
    ways['scikit-image, regions given'] = lambda: plain(frames, weights)
    for name, milliseconds in measure(ways, len(frames), args.repeats).items():
        print(f'{name:45s} {milliseconds:8.2f} ms a frame')
    before = rgb8_to_lab(frames)[..., 0]
    for name, new in (('LabShift', recolor_frames(*data, **COLORS, colors=colors)[0]), ('scikit-image', plain(frames, weights))):
        change = np.abs(rgb8_to_lab(new)[..., 0] - before) * 2.55
        print(f'{name:45s} changes lightness by up to {change.max():.2f} 8-bit steps')


if __name__ == '__main__':
    main()
