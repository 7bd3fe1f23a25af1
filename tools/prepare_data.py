"""Make prepared clips of videos, with a report: ``python tools/prepare_data.py VIDEO ... --out data/mine``.

A VIDEO is a file FFmpeg can read, an animated GIF, or a folder of pictures. Interrupted, the same command goes on where it stopped.
Several processes share the work under torchrun. Look at report.html in the output folder before training.

Exit codes: 0 all clips are ready, 1 a clip failed (the reason is printed and in the report), 2 wrong usage, 130 interrupted.
"""

import argparse
import ast
import atexit
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from toolkit.cli import main_guard


def parse_size(text: str) -> tuple[int, int]:
    """``384x256`` -> (384, 256)."""
    try:
        height, width = (int(n) for n in text.lower().split('x'))
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected HEIGHTxWIDTH, for example 384x256, got {text!r}') from None
    return height, width


def parse_crop(text: str) -> str | tuple[int, ...]:
    """``person``, ``center`` or ``x,y,w,h``."""
    if text in ('person', 'center'):
        return text
    try:
        x, y, w, h = (int(n) for n in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected person, center or X,Y,WIDTH,HEIGHT in pixels of the video, got {text!r}") from None
    return x, y, w, h


def parse_follow(text: str) -> str | tuple[float, ...]:
    """``left``, ``right``, ``largest`` or ``x,y``."""
    if text in ('left', 'right', 'largest'):
        return text
    try:
        x, y = (float(n) for n in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(f'expected left, right, largest or X,Y in pixels of the video, got {text!r}') from None
    return x, y


def parse_part(words: list[str] | None) -> dict | None:
    """``['TIN2', 'batch_size=8']`` -> a config."""
    if words is None:
        return None
    config = {'type': words[0]}
    for word in words[1:]:
        key, equals, value = word.partition('=')
        if not equals:
            raise argparse.ArgumentTypeError(f'expected TYPE KEY=VALUE ..., got {word!r}')
        try:
            config[key] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            config[key] = value
    return config


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    summary, _, details = __doc__.partition('\n\n')
    parser = argparse.ArgumentParser(description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('videos', nargs='+', metavar='VIDEO')
    parser.add_argument('--out', required=True, type=Path, help='folder for the clips and report.html')
    parser.add_argument('--size', type=parse_size, metavar='HxW',
                        help='height and width of the clips (default: those of the clips in OUT, or else a shape that fits the people '
                             'in all videos, with about as many pixels as 384x256)')
    parser.add_argument('--multiple', type=int, default=32, help='what height and width must be multiples of (default 32)')
    parser.add_argument('--crop', type=parse_crop, default='person',
                        help='person (default): around the person in all frames; center: largest centered window; or X,Y,WIDTH,HEIGHT')
    parser.add_argument('--follow', type=parse_follow, metavar='WHOM',
                        help='which of several people: left, right, largest, or X,Y, a point on the person in pixels of the video; in '
                             'the first frame that shows somebody (default: the most prominent one)')
    parser.add_argument('--fps', type=float,
                        help='constant frame rate to make (default: all frames; a variable rate, or one above 240, is made steady)')
    parser.add_argument('--start', type=float, default=0., metavar='SECONDS')
    parser.add_argument('--end', type=float, metavar='SECONDS')
    parser.add_argument('--max-frames', type=int)
    parser.add_argument('--person', default='person',
                        help='who is seen in these videos; splits go by person and action, clips of one name show one person '
                             '(default person: nobody said who)')
    parser.add_argument('--action', help="what they do (default: the clip's name)")
    parser.add_argument('--name', help='name of the clip, for a single video (default: its file name)')
    parser.add_argument('--pose', nargs='+', metavar=('TYPE', 'KEY=VALUE'),
                        help='pose estimator (default MediaPipePose if its plugin is installed, else OpenPoseMobile)')
    parser.add_argument('--edges', nargs='+', metavar=('TYPE', 'KEY=VALUE'), help='edge detector (default SoftCanny)')
    parser.add_argument('--mask', nargs='+', metavar=('TYPE', 'KEY=VALUE'),
                        help='person segmentor (default MediaPipeSegmentor if its plugin is installed, else PoseGrabCut)')
    parser.add_argument('--import', dest='imports', nargs='+', default=[], metavar='MODULE',
                        help='modules that register estimators, detectors or segmentors of your own; the current folder counts')
    parser.add_argument('--no-smooth', dest='smooth', action='store_false', help='do not smooth poses in time')
    parser.add_argument('--no-trim', dest='trim', action='store_false',
                        help='keep frames before the person comes and after they have gone')
    parser.add_argument('--min-presence', type=float, default=.5, help='least share of frames with a person (default 0.5)')
    parser.add_argument('--min-person', type=float, default=48, help="least height of the person in pixels of the video (default 48)")
    parser.add_argument('--frame-format', choices=['png', 'jpg'], default='png')
    parser.add_argument('--overwrite', action='store_true', help='make clips again that are there already')
    parser.add_argument('--keep-going', action='store_true', help='after a clip failed go on with the others')
    args = parser.parse_args(argv)
    try:
        args.pose, args.edges, args.mask = (parse_part(words) for words in (args.pose, args.edges, args.mask))
    except argparse.ArgumentTypeError as error:
        parser.error(str(error))
    if args.name and len(args.videos) > 1:
        parser.error('--name is for a single video')
    return args


@main_guard
def main(argv: list[str] | None = None) -> int:
    """Parse the command line, prepare this process's share of the videos, write the report."""
    args = parse_arguments(argv)

    from tqdm import tqdm

    from toolkit.cli import Interrupted
    from toolkit.clips.folder import check_clip_folder
    from toolkit.clips.size import choose_size, folder_size
    from toolkit.files import make_folder
    from toolkit.plugins import import_custom
    from toolkit.preparing.parts import build_parts
    from toolkit.preparing.prepare import Preparation, clip_target
    from toolkit.preparing.report import check_report, write_report
    from toolkit.preparing.settings import PrepareSettings, clip_names
    from toolkit.registry import load_plugins
    from toolkit.structures import InputError
    load_plugins()
    import_custom(args.imports, '--import')
    rank, processes = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))
    settings = {key: getattr(args, key) for key in (
        'multiple', 'crop', 'follow', 'fps', 'start', 'end', 'max_frames', 'smooth', 'trim', 'frame_format', 'min_presence',
        'min_person')}
    settings.update(zip(('height', 'width'), args.size or (None, None)))
    settings = PrepareSettings(**settings)
    for path in args.videos if not args.keep_going else ():
        if not Path(path).exists():
            raise InputError(f'{path}: no such file or folder')
    names = [args.name] if args.name else clip_names(args.videos)
    for path, name in zip(args.videos, names):
        folder = clip_target(path, args.out, name)
        if not args.keep_going:
            check_clip_folder(folder, args.overwrite, reuse=True)
    check_report(args.out)
    if args.overwrite or not all((Path(args.out) / name / 'manifest.json').exists() for name in names):
        make_folder(args.out)
    size = args.size or folder_size(args.out, names if args.overwrite else ())
    share = list(zip(args.videos, names))[rank::processes]
    failed, parts, configs = 0, *(build_parts(args.pose, args.edges, args.mask) if share else (None, None))
    if share and len(args.videos) > 1 and hasattr(parts[0], 'people_of_frames'):
        raise InputError(
            f'--pose: the keypoint files belong to one video, but {len(args.videos)} videos are given; prepare them one by one')
    jobs = [Preparation(path, args.out, *parts, settings, name, args.person, args.action, args.overwrite, configs)
            for path, name in share]

    def each(step: Callable) -> list:
        """What ``step`` gives for each clip that has not failed so far."""
        nonlocal failed
        results = []
        for number, job in enumerate(jobs, 1):
            if job.failed or (failed and not args.keep_going):
                continue
            name = job.folder.name
            with Progress(f'[{number}/{len(jobs)}] {name}', quiet=rank > 0) as job.progress:
                try:
                    results.append(step(job))
                    continue
                except InputError as error:
                    job.failed, failed = True, failed + 1
                    message = f'FAILED {name}: {error}'
                except KeyboardInterrupt:
                    raise Interrupted('interrupted; what is done is kept, the same command goes on from there') from None
            print(message, file=sys.stderr, flush=True)
        return results

    if size is None:
        ranges = [found for found in each(Preparation.look) if found]
        if args.keep_going or not failed:
            ranges = sum(over_processes(ranges, processes), [])
            size = choose_size(ranges, args.multiple) if ranges else None

    def make(job: Preparation) -> None:
        if not args.size:
            job.set_size(*size)
        clip = job.run()
        warnings = ''.join(f'\n  warning: {w}' for w in clip.manifest.get('report', {}).get('warnings', []))
        tqdm.write(f'ready {job.folder.name}: {len(clip)} frames of {clip.height}x{clip.width}{warnings}')
        sys.stdout.flush()

    if size is not None:
        each(make)
    page = write_report(args.out) if os.access(args.out, os.W_OK) else None
    if args.keep_going or not failed:
        failed = sum(over_processes(failed, processes))
    if rank == 0:
        print(f'look at {page}' if page else f'{args.out} cannot be written to: its report stays as it is')
    return 1 if failed else 0


def over_processes(value, processes: int) -> list:
    """The values of all processes, in the same order everywhere. It waits until each has come here."""
    if processes == 1:
        return [value]
    from torch import distributed
    if not distributed.is_initialized():
        distributed.init_process_group('gloo', timeout=timedelta(days=7))
        atexit.register(distributed.destroy_process_group)
    values = [None] * processes
    distributed.all_gather_object(values, value)
    return values


class Progress:
    """One bar for each stage of a clip; nothing when ``quiet``."""

    def __init__(self, label: str, quiet: bool):
        self.label, self.quiet, self.stage, self.bar = label, quiet, None, None

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` frames have passed ``stage``."""
        from tqdm import tqdm
        if stage != self.stage:
            self.close()
            self.stage = stage
            self.bar = tqdm(total=total, desc=f'{self.label} {stage}', unit='frame', leave=False, disable=self.quiet)
        self.bar.total = total
        self.bar.update(done - self.bar.n)

    def close(self) -> None:
        """Take the bar away."""
        if self.bar is not None:
            self.bar.close()

    def __enter__(self) -> 'Progress':
        return self

    def __exit__(self, *error) -> None:
        self.close()


if __name__ == '__main__':
    main()
