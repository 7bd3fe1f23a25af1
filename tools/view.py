"""Play what was prepared, or what a training does, in the viewer Rerun: ``python tools/view.py CLIP_OR_RUN``.

Of a prepared clip: its frames with keypoints and skeleton, mask, edges, parts, the empty scene, the frames that training would take its
pixels from, and how sure the pose estimator was, over time. Of a training: losses, metrics, learning rates and seconds over iterations,
and the pictures that it generated meanwhile.

    python tools/view.py data/mine/dancing                   # a window
    python tools/view.py data/mine --web                     # a page in the browser, also of a machine without a screen
    python tools/view.py work_dirs/mine --out mine.rrd       # a file for later: rerun mine.rrd

It needs the package rerun-sdk: pip install 'human-video-toolkit[view]'. A file is written without asking anybody. The viewer itself
tells its makers that it was opened, unless you forbid it once: rerun analytics disable. With --web the pictures can be had by everybody
who reaches this machine, without a password, until it ends.
"""

import sys
import time
from os import environ
from pathlib import Path

from toolkit.cli import described_parser, main_guard
from toolkit.structures import InputError


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line, and show or write."""
    parser = described_parser(__doc__)
    parser.add_argument('source', type=Path, metavar='CLIP|RUN', help='prepared clip, folder of clips, or work dir of a training')
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--out', type=Path, metavar='FILE', help='write a .rrd file, and open no window')
    where.add_argument('--web', action='store_true',
                       help='show it in the browser; everybody in the network can see it until Ctrl-C ends it')
    parser.add_argument('--port', type=int, metavar='N', help='of --web; the next one is used, too (default 9090)')
    parser.add_argument('--clips', nargs='+', default=[], metavar='NAME', help='which clips of a folder (default: all, up to 12)')
    parser.add_argument('--max-frames', type=int, metavar='N', help='the first frames of each clip')
    parser.add_argument('--overwrite', action='store_true', help='replace a file that is there')
    args = parser.parse_args(argv)

    from toolkit.analysis.recording import Recording, choose_clips, is_run
    from toolkit.clips.clip import find_clips
    from toolkit.files import check_output
    from toolkit.outputs import refuse_existing
    from toolkit.progress import Bars
    run = is_run(args.source)
    if run and (args.clips or args.max_frames):
        raise InputError(f'{args.source} is the work dir of a training: --clips and --max-frames are for prepared clips')
    if args.port is not None and not args.web:
        raise InputError('--port is for --web')
    if args.overwrite and not args.out:
        raise InputError('--overwrite is for --out')
    if args.out:
        if args.out.suffix != '.rrd':
            raise InputError(f'{args.out}: recordings are written as .rrd')
        refuse_existing([check_output(args.out)], args.overwrite)
    elif not args.web and sys.platform.startswith('linux') and not (environ.get('DISPLAY') or environ.get('WAYLAND_DISPLAY')):
        raise InputError('there is no screen (neither DISPLAY nor WAYLAND_DISPLAY is set) to open a window on: --web shows it in a '
                         'browser, --out FILE.rrd keeps it')
    recording = Recording(args.source.resolve().name)
    if run:
        recording.add_run(args.source)
    else:
        clips = choose_clips(args.source, args.clips)
        recording.add_clips(clips, args.max_frames, Bars(), find_clips(args.source) if args.clips else ())
    if args.out:
        recording.save(args.out, args.overwrite)
        print(f'written to {args.out}; rerun {args.out} shows it')
    elif args.web:
        print(f'{recording.serve(args.port or 9090)}  (everybody in the network can see it; Ctrl-C ends it)', flush=True)
        while True:
            time.sleep(60)
    else:
        recording.show()


if __name__ == '__main__':
    main()
