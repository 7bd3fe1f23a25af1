"""The whole way in minutes on two CPU cores, without any download: render people, train, measure, generate, look.

    python tools/demo.py

It runs the other tools and shows each command. Interrupted, the same command goes on where it stopped.
"""

import argparse
import json
import shlex
import subprocess
import sys
import time
from pathlib import Path

from toolkit.cli import main_guard

ROOT = Path(__file__).resolve().parent.parent
CONFIG = 'configs/demo/synthetic.py'
METRICS = ['PSNR', 'SSIM', 'MSSSIM', 'L1', 'Sharpness', 'PCK', 'Temporal']
SHOWN = ['psnr/crop', 'ssim/crop', 'ms_ssim/crop', 'l1/crop', 'sharpness/person', 'pck/limbs@0.2', 'pck/limbs@0.1', 'temporal/td']


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and run every step."""
    summary, _, details = __doc__.partition('\n\n')
    parser = argparse.ArgumentParser(description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('demo_output'), help='folder for the results (default demo_output)')
    parser.add_argument('--iters', type=int, help='iterations of training, fewer for a quick look')
    args = parser.parse_args(argv)

    from toolkit.engine.checkpoint import latest_checkpoint
    start = time.monotonic()
    out = args.out
    train_dir = out / 'train'
    lengths = ['--cfg-options', f'train_cfg.max_iters={args.iters}', f'param_scheduler.end={args.iters}',
               f'param_scheduler.begin={args.iters // 2}'] if args.iters else []
    amp = ['--amp'] if fast_bfloat16() else []
    resume = ['--resume'] if latest_checkpoint(train_dir) else []
    run('train.py', CONFIG, '--work-dir', train_dir, *amp, *resume, *lengths)
    checkpoint = latest_checkpoint(train_dir)
    run('test.py', CONFIG, checkpoint, '--baselines', '--metrics', *METRICS, '--clips', 2, '--out', out / 'metrics.json')
    content, driving = content_and_driving()
    video = out / 'held_out.mp4'
    run('generate.py', checkpoint, '--content', content, '--driving', driving, '--side-by-side', '--out', video)
    sheet = out / 'contact_sheet.png'
    write_sheet(video, sheet)
    print_summary(out / 'metrics.json')
    print(f'\n{video}  real, pose, generated: the action {driving.name!r} was not trained on\n{sheet}  the same as a picture\n'
          f'{out / "metrics.json"}  all metrics\n{(time.monotonic() - start) / 60:.1f} minutes')


def run(tool: str, *words) -> None:
    """Run another tool and show the command; the demo ends with it if it fails."""
    command = [sys.executable, str(Path('tools') / tool), *map(str, words)]
    print('\n$ python', shlex.join(command[1:]), flush=True)
    command[1] = str(ROOT / 'tools' / tool)
    command = [str(ROOT / word) if word == CONFIG else word for word in command]
    code = subprocess.run(command).returncode
    if code:
        raise SystemExit(code)


def fast_bfloat16() -> bool:
    """Whether this machine computes faster in bfloat16 than in float32: a GPU, or a CPU with matrix units for it."""
    import torch
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return bool(getattr(torch.cpu, '_is_amx_tile_supported', lambda: False)())


def content_and_driving() -> tuple[Path, Path]:
    """Folders of a training clip and of a held-out clip of the same person."""
    from toolkit.data.clip import find_clips
    from toolkit.data.split import split_clips
    from toolkit.engine.launch import load_config
    dataset = load_config(ROOT / CONFIG).train_dataloader.dataset
    halves = split_clips(find_clips(dataset.root), **dataset.split_rule)
    driving = halves['test'][0]
    return next(clip.folder for clip in halves['train'] if clip.person == driving.person), driving.folder


def write_sheet(video: Path, path: Path, columns: int = 7) -> None:
    """Frames of a side-by-side video as a picture with the rows real, pose, generated."""
    import cv2
    import numpy as np

    from toolkit.data.sheets import contact_sheet
    from toolkit.data.video import VideoReader
    frames = [frame for frame, _ in VideoReader(video)]
    chosen = np.linspace(0, len(frames) - 1, columns).round().astype(int)
    rows = zip(*(np.split(frames[t], 3, axis=1) for t in chosen))
    cv2.imwrite(str(path), contact_sheet([list(row) for row in rows])[..., ::-1])


def print_summary(metrics: Path) -> None:
    """The most telling metrics beside the baselines."""
    content = json.loads(metrics.read_text())
    columns = {'generated': content['metrics'], **content['baselines']}
    print('\n' + ' ' * 20 + ''.join(f'{name:>16}' for name in columns))
    for key in SHOWN:
        values = [column[key]['value'] for column in columns.values()]
        print(f'{key:20}' + ''.join(f'{value:16.3f}' if isinstance(value, float) else f'{value!s:>16}' for value in values))


if __name__ == '__main__':
    main()
