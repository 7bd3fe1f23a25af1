"""Make prepared clips of videos, with a report: ``python tools/prepare_data.py VIDEO ... --out data/mine``.

A VIDEO is a file FFmpeg can read, an animated GIF, or a folder of pictures. Interrupted, the same command goes on where it stopped.
The same command given again while the first one runs shares its clips, also on other machines; so does torchrun. Look at report.html in
the output folder before training.

Exit codes: 0 all clips are ready, 1 a clip failed (the reason is printed and in the report), 2 wrong usage, 130 interrupted.
"""

import argparse
from pathlib import Path

from toolkit.cli import described_parser, main_guard, numbers, part_config

SETTINGS = ('multiple', 'crop', 'follow', 'fps', 'start', 'end', 'max_frames', 'smooth', 'trim', 'frame_format', 'min_presence',
            'min_person')


def parse_arguments(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = described_parser(__doc__)
    parser.add_argument('videos', nargs='+', metavar='VIDEO')
    parser.add_argument('--out', required=True, type=Path, help='folder for the clips and report.html')
    parser.add_argument('--size', type=numbers('HEIGHTxWIDTH, for example 384x256', 2, int, 'x'), metavar='HxW',
                        help='height and width of the clips (default: those of the clips in OUT, or else a shape that fits the people '
                             'in all videos, with about as many pixels as 384x256)')
    parser.add_argument('--multiple', type=int, default=32, help='what height and width must be multiples of (default 32)')
    parser.add_argument('--crop', default='person',
                        type=numbers('person, center or X,Y,WIDTH,HEIGHT in pixels of the video', 4, int, words=('person', 'center')),
                        help='person (default): around the person in all frames; center: largest centered window; or X,Y,WIDTH,HEIGHT')
    people = ('left', 'right', 'largest')
    parser.add_argument('--follow', metavar='WHOM',
                        type=numbers('left, right, largest or X,Y in pixels of the video', 2, float, words=people),
                        help='which of several people: left, right, largest, or X,Y, a point on the person in pixels of the video; in '
                             'the first frame that shows somebody (default: the most prominent one)')
    parser.add_argument('--fps', type=float,
                        help='constant frame rate to make (default: all frames; a variable rate, or one above 240, is made steady); '
                             'of a folder of pictures, how many count as a second (default 25)')
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
    return parser.parse_args(argv)


@main_guard
def main(argv: list[str] | None = None) -> int:
    """Parse the command line, prepare this process's share of the videos, write the report."""
    args = parse_arguments(argv)

    from toolkit.plugins import import_custom
    from toolkit.preparing.batch import VideoBatch
    from toolkit.preparing.settings import PrepareSettings
    from toolkit.registry import load_plugins
    load_plugins()
    import_custom(args.imports, '--import')
    height, width = args.size or (None, None)
    settings = PrepareSettings(height, width, **{key: getattr(args, key) for key in SETTINGS})
    batch = VideoBatch(
        args.videos, args.out, settings, pose=part_config(args.pose), edges=part_config(args.edges), mask=part_config(args.mask),
        name=args.name, person=args.person, action=args.action, overwrite=args.overwrite, keep_going=args.keep_going)
    return 1 if batch.run() else 0


if __name__ == '__main__':
    main()
