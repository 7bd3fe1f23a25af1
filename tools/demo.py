"""The whole way in minutes on two CPU cores, without any download: render people, train, measure, generate, look.

    python tools/demo.py

The color encoders of the upper and the lower body are trained first (stage I), at once, then the video generator on their codes
(stage II). It performs an action that it never saw, in the clothes of the content picture and in four other pairs of colors. The
other tools do the work, and each command is shown. Interrupted, the same command goes on where it stopped.
"""

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

from toolkit.cli import described_parser, main_guard, spoken

ROOT = Path(__file__).resolve().parent.parent
STAGE_1 = {region: f'configs/demo/colors_{region}.py' for region in ('up', 'down')}
STAGE_2 = 'configs/demo/colors.py'
OUTFITS = [',', '#c03030,#2040a0', '#2a9040,#c8b040', '#3050c8,#a03070', '#b040b0,#208080']
METRICS = ['PSNR', 'SSIM', 'MSSSIM', 'L1', 'Sharpness', 'PCK', 'Temporal']
SHOWN = ['psnr/crop', 'ssim/crop', 'ms_ssim/crop', 'l1/crop', 'sharpness/person', 'pck/limbs@0.2', 'pck/limbs@0.1', 'temporal/td']


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and run every step."""
    parser = described_parser(__doc__)
    parser.add_argument('--out', type=Path, default=Path('demo_output'), help='folder for the results (default demo_output)')
    parser.add_argument('--iters', type=int, help='iterations of each training, fewer for a quick look')
    args = parser.parse_args(argv)

    from toolkit.outputs import claim_folder
    from toolkit.weights import latest_checkpoint
    claim_folder(args.out, '.made_by_demo', 'choose another folder with --out')
    start, out = time.monotonic(), args.out
    sheet, video, metrics = out / 'training_data.png', out / 'held_out.mp4', out / 'metrics.json'
    amp = ['--amp'] if fast_bfloat16() else []

    def training(config: str, *options: str) -> tuple:
        work_dir = out / Path(config).stem
        options += (f'train_cfg.max_iters={args.iters}',) if args.iters else ()
        return ('train.py', config, '--work-dir', work_dir, *amp, *(['--resume'] if latest_checkpoint(work_dir) else []),
                *(['--cfg-options', *options] if options else []))

    run('browse_dataset.py', STAGE_2, '--out', sheet, '--overwrite')
    run_both(training(STAGE_1['up']), training(STAGE_1['down']), out / 'colors_down.log')
    run(*training(STAGE_2, *(f'model.color_codes.{region}={out / Path(config).stem}' for region, config in STAGE_1.items())))
    checkpoint = latest_checkpoint(out / Path(STAGE_2).stem)
    run('test.py', STAGE_2, checkpoint, '--baselines', '--metrics', *METRICS, '--clips', 2, '--out', metrics, '--overwrite')
    content, driving = content_and_driving()
    run('generate.py', checkpoint, '--content', content, '--driving', driving, '--outfits', *OUTFITS, '--side-by-side', '--out', video,
        '--overwrite')
    print_summary(metrics)
    print(f'\n{video}  real, pose, generated in own and in four other pairs of colors: {driving.name!r} was not trained on\n'
          f'{video.with_suffix(".png")}  the same as a picture\n{metrics}  all metrics, beside plain baselines\n'
          f'{sheet}  what was trained on\n{(time.monotonic() - start) / 60:.1f} minutes')


def run(tool: str, *words) -> None:
    """Run another tool and show the command; the demo ends with it if it fails."""
    code = subprocess.run(shown_command(tool, *words)).returncode
    if code:
        raise SystemExit(code)


def run_both(first: tuple, second: tuple, log: Path) -> None:
    """Run two tools at once, each on half of the cores; the second one's output goes to a file."""
    threads = os.environ.get('OMP_NUM_THREADS') or str(max(1, (os.cpu_count() or 2) // 2))
    env = dict(os.environ, OMP_NUM_THREADS=threads)
    first, second = shown_command(*first), shown_command(*second, note=f' > {log}')
    with log.open('w') as file, subprocess.Popen(second, stdout=file, stderr=subprocess.STDOUT, env=env) as background:
        try:
            code = subprocess.run(first, env=env).returncode
        finally:
            if sys.exc_info()[0]:
                background.terminate()
        if code:
            background.terminate()
            raise SystemExit(code)
    if background.returncode:
        print(log.read_text()[-2000:], file=sys.stderr)
        raise SystemExit(background.returncode)


def shown_command(tool: str, *words, note: str = '') -> list[str]:
    """The command line of another tool, printed as one would type it."""
    command = [sys.executable, str(ROOT / 'tools' / tool), *map(str, words)]
    print('\n$', spoken(shlex.join(['python', f'tools/{tool}', *command[2:]])) + note, flush=True)
    return [str(ROOT / word) if word in (*STAGE_1.values(), STAGE_2) else word for word in command]


def fast_bfloat16() -> bool:
    """Whether this machine computes faster in bfloat16 than in float32: a GPU, or a CPU with AMX or AVX512-BF16."""
    import torch
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported()
    return any(getattr(torch.cpu, f'_is_{unit}_supported', lambda: False)() for unit in ('amx_tile', 'avx512_bf16'))


def content_and_driving() -> tuple[Path, Path]:
    """Folders of a training clip and of a held-out clip of the same person."""
    from toolkit.clips.clip import find_clips
    from toolkit.datasets.split import split_clips
    from toolkit.engine.launch import load_config
    dataset = load_config(ROOT / STAGE_2).train_dataloader.dataset
    halves = split_clips(find_clips(dataset.root), **dataset.split_rule)
    driving = halves['test'][0]
    return next(clip.folder for clip in halves['train'] if clip.person == driving.person), driving.folder


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
