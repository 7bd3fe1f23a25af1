"""A person does what they never did, in minutes on two CPU cores and without any download: render, fine-tune, measure, look.

    python tools/demo.py
    python tools/demo.py --paper      # also paper A as published, from nothing: a quarter of an hour more

The generator that comes with the toolkit never saw this person. It performs a held-out action: first without any training, then after a
minute of fine-tuning, in the person's own clothes and in four other pairs of colors. With --paper the color encoders of the upper and
the lower body are trained (stage I), at once, then the video generator on their codes (stage II). The other tools do the work, and each
command is shown. Interrupted, the same command goes on where it stopped.
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
TUNED = 'configs/demo/textured.py'
OUTFITS = [',', '#c03030,#2040a0', '#2a9040,#c8b040', '#3050c8,#a03070', '#b040b0,#208080']
METRICS = ['PSNR', 'SSIM', 'MSSSIM', 'L1', 'Sharpness', 'PCK', 'Temporal']
SHOWN = ['psnr/crop', 'ssim/crop', 'ms_ssim/crop', 'l1/crop', 'sharpness/person', 'pck/limbs@0.2', 'pck/limbs@0.1', 'temporal/td']


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and run every step."""
    parser = described_parser(__doc__)
    parser.add_argument('--out', type=Path, default=Path('demo_output'), help='folder for the results (default demo_output)')
    parser.add_argument('--iters', type=int, help='iterations of each training, fewer for a quick look')
    parser.add_argument('--paper', action='store_true', help='train and show the method of paper A, too')
    args = parser.parse_args(argv)

    from toolkit.outputs import claim_folder
    claim_folder(args.out, '.made_by_demo', 'choose another folder with --out')
    start, made = time.monotonic(), fine_tuned(args.out, args.iters)
    made += paper(args.out, args.iters) if args.paper else []
    print('\n' + '\n'.join(f'{path}  {what}' for path, what in made) + f'\n{(time.monotonic() - start) / 60:.1f} minutes')


def fine_tuned(out: Path, iters: int | None) -> list[tuple[Path, str]]:
    """The generator that comes along, before and after fine-tuning; files that were made and what they show."""
    from toolkit.packaged import PRETRAINED
    sheet, first, video = out / 'training_data.png', out / 'at_once.mp4', out / 'held_out.mp4'
    measured = {'at once': out / 'at_once.json', 'fine-tuned': out / 'metrics.json'}
    run('browse_dataset.py', TUNED, '--out', sheet, '--overwrite')
    clips, driving = content_and_driving(TUNED)
    moving = ('--content', clips[0], '--references', *clips[1:], '--driving', driving, '--size', '384x256', '--side-by-side',
              '--overwrite')
    run('generate.py', *moving, '--out', first)
    checkpoint = train(TUNED, out, iters)
    for name, weights in (('at once', PRETRAINED), ('fine-tuned', checkpoint)):
        test(TUNED, weights, measured[name])
    run('generate.py', checkpoint, *moving, '--outfits', *OUTFITS, '--out', video)
    print_summary(measured)
    return [(first, f'real, pose, generated without any training on this person; of {driving.name!r} there is no footage'),
            (video, 'the same after fine-tuning, in own and in four other pairs of colors'),
            (video.with_suffix('.png'), 'the same as a picture'), (measured['fine-tuned'], 'all metrics, beside plain baselines'),
            (sheet, 'what was fine-tuned on')]


def paper(out: Path, iters: int | None) -> list[tuple[Path, str]]:
    """Paper A as published, both stages from nothing; files that were made and what they show."""
    metrics, video = out / 'paper.json', out / 'paper.mp4'
    run_both(*(training(config, out, iters) for config in STAGE_1.values()), out / 'colors_down.log')
    checkpoint = train(STAGE_2, out, iters, *(
        f'model.color_codes.{region}={out / Path(config).stem}' for region, config in STAGE_1.items()))
    test(STAGE_2, checkpoint, metrics)
    clips, driving = content_and_driving(STAGE_2)
    run('generate.py', checkpoint, '--content', clips[0], '--driving', driving, '--outfits', *OUTFITS, '--side-by-side', '--out', video,
        '--overwrite')
    print_summary({'paper A': metrics})
    return [(video, 'paper A: real, pose, generated in own and in four other pairs of colors'), (metrics, 'all its metrics')]


def training(config: str, out: Path, iters: int | None, *options: str) -> tuple:
    """The words of the command that trains a config, or goes on with it."""
    from toolkit.weights import latest_checkpoint
    work_dir = out / Path(config).stem
    options += (f'train_cfg.max_iters={iters}',) if iters else ()
    return ('train.py', config, '--work-dir', work_dir, '--fast', *(['--resume'] if latest_checkpoint(work_dir) else []),
            *(['--cfg-options', *options] if options else []))


def train(config: str, out: Path, iters: int | None, *options: str) -> Path:
    """Train a config; its last checkpoint."""
    from toolkit.weights import latest_checkpoint
    run(*training(config, out, iters, *options))
    return latest_checkpoint(out / Path(config).stem)


def test(config: str, checkpoint: Path | str, metrics: Path) -> None:
    """Measure two held-out clips beside the baselines."""
    run('test.py', config, checkpoint, '--baselines', '--metrics', *METRICS, '--clips', 2, '--out', metrics, '--overwrite')


def run(tool: str, *words) -> None:
    """Run another tool and show the command; the demo ends with it if it fails."""
    code = subprocess.run(shown_command(tool, *words)).returncode
    if code:
        raise SystemExit(code)


def run_both(first: tuple, second: tuple, log: Path) -> None:
    """Run two tools at once, each on half of the cores; the second one's output goes to a file."""
    from toolkit.machine import cores
    threads = os.environ.get('OMP_NUM_THREADS') or str(max(1, cores() // 2))
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
    return [str(ROOT / word) if word in (*STAGE_1.values(), STAGE_2, TUNED) else word for word in command]


def content_and_driving(config: str) -> tuple[list[Path], Path]:
    """Folders of the training clips of a person, and of a held-out clip."""
    from toolkit.clips.clip import find_clips
    from toolkit.datasets.split import split_clips
    from toolkit.engine.launch import load_config
    dataset = load_config(ROOT / config).train_dataloader.dataset
    halves = split_clips(find_clips(dataset.root), **dataset.split_rule)
    driving = halves['test'][0]
    return [clip.folder for clip in halves['train'] if clip.person == driving.person], driving.folder


def print_summary(measured: dict[str, Path]) -> None:
    """The most telling metrics of each, and of the baselines on the same frames."""
    contents = {name: json.loads(path.read_text()) for name, path in measured.items()}
    columns = {name: content['metrics'] for name, content in contents.items()} | next(iter(contents.values()))['baselines']
    print('\n' + ' ' * 20 + ''.join(f'{name:>16}' for name in columns))
    for key in SHOWN:
        values = [column[key]['value'] for column in columns.values()]
        print(f'{key:20}' + ''.join(f'{value:16.3f}' if isinstance(value, float) else f'{value!s:>16}' for value in values))


if __name__ == '__main__':
    main()
