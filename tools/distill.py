"""Train a small and fast student of a generator for one person: ``python tools/distill.py me.mp4 --work-dir work_dirs/student``.

The videos are prepared first, once, into data/<name of the work dir>; then configs/own/student.py is trained: the teacher paints the
person in movements that are drawn and never run out, and the student learns to paint the same. --teacher work_dirs/me takes a generator
that was fine-tuned on the person; without it the one that comes with the toolkit teaches. The student is 1.6 MB in half precision. An
interrupted command goes on when it is given again with --resume.
"""

import shlex
from pathlib import Path

from toolkit.cli import main_guard, own_videos_parser, spoken


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line, prepare and train."""
    parser = own_videos_parser(__doc__, 'so many (default 600)')
    parser.add_argument('--teacher', metavar='FILE', help='checkpoint or work dir that teaches (default: the generator of the toolkit)')
    parser.add_argument('--movements', metavar='DIR',
                        help='folder of prepared clips of others, whose movements to learn (default: those of the synthetic actions)')
    args = parser.parse_args(argv)

    from toolkit import apis
    student = apis.distill(args.videos, args.work_dir, args.teacher, args.data, args.movements, args.iterations, args.resume,
                           args.amp or False, args.cfg_options, fast=args.fast)
    print(f'pictures: {Path(args.work_dir) / "vis"}\nthe student: {student}')
    print(spoken(shlex.join(['python', 'tools/live.py', '--person', str(args.work_dir), '--camera', '0'])))


if __name__ == '__main__':
    main()
