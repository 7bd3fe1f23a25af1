"""Frames a second of generation, plain and fast, in one run: ``python benchmarks/generate.py``.

    python benchmarks/generate.py --size 384x256 --ways plain half openvino
    python benchmarks/generate.py --device cuda --json generate.json
    python benchmarks/generate.py --flat 10000        # time and memory of 10,000 frames in a row

Plain is what the papers' codes do: eager float32, one frame after the other, each stage waiting for the one before. The other
ways are those of ``tools/generate.py --fast WAY``, with stages that overlap. Synthetic people are rendered, so that nothing is
needed beside the toolkit. The ways alternate, round after round, so that a busy machine harms them alike; ratios are of each round,
plain / way, by wall clock and by CPU time. Pictures are compared with the plain ones. Measured is a frame from its pose to its picture
in uint8: search, decoding and warping of references at the footage's resolution, network; with ``--whole`` also the encoding.
"""

import argparse
import json
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config

from toolkit import apis
from toolkit.engine.launch import load_config
from toolkit.inference.driving import frame_steps
from toolkit.inference.fast import WAYS, speed_up
from toolkit.machine import machine
from toolkit.models.loss_table import for_generation
from toolkit.packaged import PRETRAINED
from toolkit.registry import MODELS
from toolkit.synthetic.actions import SyntheticActions
from toolkit.video.io import VideoWriter

DISCRIMINATOR = dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=1)


def paper() -> apis.Trained:
    """Stage II of paper A at its full size, with random weights: speed does not depend on them."""
    torch.manual_seed(0)
    model = dict(type='VideoPix2PixHD', generator=dict(type='LocalEnhancer'), discriminator=DISCRIMINATOR,
                 losses=dict(gan=dict(type='GANLoss')), ema=None)
    return apis.Trained(MODELS.build(model), Config(dict(model=model)), (384, 256))


def student() -> apis.Trained:
    """The student of configs/own/student.py, with random weights."""
    torch.manual_seed(0)
    config = load_config('hvt::own/student')
    return apis.Trained(MODELS.build(for_generation(config.model)), config, None)


def built(model: str, way: str, device: str) -> apis.Trained:
    """A model on a device, made fast in a way."""
    trained = dict(paper=paper, student=student).get(model, lambda: apis.load(PRETRAINED, 'cpu'))()
    trained.model.to(device).eval()
    if way != 'plain':
        trained.fast = speed_up(trained.model, way)
        print(f'{way}: {trained.fast}', flush=True)
    return trained


def frames(trained: apis.Trained, chosen, plain: bool):
    """Rows of pictures: one after the other, or in overlapping stages."""
    if not plain:
        return apis.paint(trained, chosen)
    given = (chosen.names, chosen.poses, chosen.size, chosen.driving, chosen.style, chosen.extra)
    videos = [trained.model.generate(frame_steps(*given, footage, trained.model.references), **opening)
              for footage, opening in zip(chosen.footage, chosen.openings)]
    return zip(*videos)


def once(trained: apis.Trained, request: apis.Request, plain: bool, whole: Path | None) -> tuple[float, float, np.ndarray]:
    """Wall and CPU seconds a frame, without the first ones, and the pictures (T, looks, H, W, 3)."""
    chosen = apis.choose(trained, request, 'unused', False)
    rows, writer = [], VideoWriter(whole, 25, overwrite=True) if whole else None
    warm = max(1, len(chosen.poses) // 5)
    for row in frames(trained, chosen, plain):
        rows.append(row)
        if writer:
            writer.write(np.hstack(row))
        if len(rows) == warm:
            start, cpu = time.perf_counter(), time.process_time()
    if writer:
        writer.close()
    count = len(rows) - warm
    return (time.perf_counter() - start) / count, (time.process_time() - cpu) / count, np.array(rows)


def spread(values: list[float]) -> dict:
    """Median and range."""
    return dict(median=statistics.median(values), low=min(values), high=max(values))


def compare(args: argparse.Namespace, people: list[Path]) -> list[dict]:
    """A row for each model and way."""
    rows = []
    for model in args.models:
        ways = dict.fromkeys(['plain', *args.ways])
        trained = {way: built(model, way, args.device) for way in ways}
        outfits = ['#c03030,#2040a0', '#30c030,', ',#c0c030', '#8030a0,'][:args.looks] if model == 'textured' and args.looks > 1 else []
        request = apis.Request(people[1], people[0], size=args.size, max_frames=args.frames, retarget='on',
                               colors=apis.Colors(outfits=outfits))
        seconds, pictures = {way: [] for way in ways}, {}
        for way in ways:
            once(trained[way], request, way == 'plain', None)
        for number in range(args.rounds):
            for way in (list(ways) if number % 2 else list(ways)[::-1]):
                wall, cpu, pictures[way] = once(trained[way], request, way == 'plain', args.whole and args.folder / f'{way}.mp4')
                seconds[way].append((wall, cpu))
        for way in ways:
            wall, cpu = zip(*seconds[way])
            ratios = [[a / b for a, b in zip(plain, own)] for plain, own in zip(zip(*seconds['plain']), (wall, cpu))]
            difference = np.abs(pictures[way].astype(int) - pictures['plain'])
            rows.append(dict(
                model=model, way=way, said=trained[way].fast, frames_per_second=1 / statistics.median(wall),
                wall_ms=spread([1000 * s for s in wall]), cpu_ms=spread([1000 * s for s in cpu]), ratio_wall=spread(ratios[0]),
                ratio_cpu=spread(ratios[1]), mean_difference=float(difference.mean()),
                within_4_levels=float((difference <= 4).mean()), largest_difference=int(difference.max())))
            show(rows[-1])
    return rows


def show(row: dict) -> None:
    """Print a row of the table."""
    wall, cpu = row['ratio_wall'], row['ratio_cpu']
    print(f'{row["model"]:9}{row["way"]:10}{row["frames_per_second"]:7.1f} frames/s  wall {row["wall_ms"]["median"]:7.1f} ms  CPU '
          f'{row["cpu_ms"]["median"]:7.1f} ms  plain/way: wall {wall["median"]:.2f} ({wall["low"]:.2f}..{wall["high"]:.2f}), CPU '
          f'{cpu["median"]:.2f} ({cpu["low"]:.2f}..{cpu["high"]:.2f})  pictures: mean {row["mean_difference"]:.3f}, '
          f'{100 * row["within_4_levels"]:.2f} % within 4, largest {row["largest_difference"]} of 255', flush=True)


def flat(args: argparse.Namespace, people: list[Path]) -> dict:
    """Seconds and peak memory of tenths of a long video that is the driving clip over and over."""
    trained = built('textured', args.ways[0] if args.ways else 'auto', args.device)
    chosen = apis.choose(trained, apis.Request(people[1], people[0], size=args.size, retarget='on'), 'unused', False)
    chosen.poses = np.resize(chosen.poses, (args.flat, *chosen.poses.shape[1:]))
    tenth, tenths, start = max(1, args.flat // 10), [], time.perf_counter()
    for number, _ in enumerate(apis.paint(trained, chosen), 1):
        if number % tenth == 0:
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            gpu = torch.cuda.max_memory_allocated() / 2**20 if args.device.startswith('cuda') else 0
            tenths.append(dict(frames=number, seconds=time.perf_counter() - start, peak_mib=memory, peak_gpu_mib=gpu))
            print(f'{number:7} frames: {tenths[-1]["seconds"]:8.1f} s for the last {tenth}, peak {memory:.0f} MiB, GPU {gpu:.0f} MiB',
                  flush=True)
            start = time.perf_counter()
    return dict(flat=tenths, said=trained.fast)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0], epilog=__doc__.partition('\n\n')[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--models', nargs='+', choices=['textured', 'student', 'paper'], default=['textured', 'paper'],
                        help='the generator that comes along; a student of it (configs/own/student.py); stage II of paper A '
                             '(LocalEnhancer, 182 M parameters)')
    parser.add_argument('--ways', nargs='*', choices=[way for way in WAYS if way != 'auto'], help='default: those of this machine')
    parser.add_argument('--size', type=lambda text: tuple(map(int, text.split('x'))), default=(384, 256), metavar='HxW')
    parser.add_argument('--frames', type=int, default=24, help='of a round; the first fifth is not counted')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--looks', type=int, default=1, help='of textured: so many outfits at once, up to 4')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--whole', action='store_true', help='encode the video as well')
    parser.add_argument('--flat', type=int, metavar='FRAMES', help='instead: one long video by the first of --ways')
    parser.add_argument('--json', type=Path, metavar='FILE')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    here = machine(args.device)
    if args.ways is None:
        args.ways = ['half', *(['graph'] if here.graphs else []), *(['openvino'] if here.openvino else [])]
    print(f'{here.name}, {args.threads} threads, torch {torch.__version__}, {args.size[0]}x{args.size[1]}, {args.looks} look(s)',
          flush=True)
    with tempfile.TemporaryDirectory() as folder:
        args.folder = Path(folder)
        SyntheticActions(height=384, width=256, actors=4, actions=3, frames=args.frames).write(
            args.folder / 'people', actors=[0, 3], actions=[1], num_workers=1, progress=False)
        people = sorted((args.folder / 'people').iterdir())
        result = flat(args, people) if args.flat else dict(rows=compare(args, people))
    if args.json:
        about = dict(machine=here.name, threads=args.threads, torch=torch.__version__, size=args.size, looks=args.looks,
                     frames=args.frames, rounds=args.rounds, command=sys.argv[1:])
        args.json.write_text(json.dumps(about | result, indent=1))


if __name__ == '__main__':
    main()
