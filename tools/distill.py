"""Train a small and fast student of a generator for one person: ``python tools/distill.py me.mp4 --work-dir work_dirs/student``.

The videos are prepared first, once, into data/<name of the work dir>; then configs/own/student.py is trained: the teacher paints the
person in movements that are drawn and never run out, and the student learns to paint the same. --teacher work_dirs/me takes a generator
that was fine-tuned on the person; without it the one that comes with the toolkit teaches. The student is 1.6 MB in half precision. An
interrupted command goes on when it is given again with --resume.
"""

from pathlib import Path

from toolkit.cli import described_parser, main_guard, spoken


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line, prepare and train."""
    parser = described_parser(__doc__)
    parser.add_argument('videos', nargs='*', metavar='VIDEO',
                        help='videos, or folders of pictures, of one person in the same clothes (none where '
                             '--data holds prepared clips)')
    parser.add_argument('--work-dir', required=True, metavar='DIR', help='folder for checkpoints and pictures')
    parser.add_argument('--teacher', metavar='FILE', help='checkpoint or work dir that teaches (default: the generator of the toolkit)')
    parser.add_argument('--data', metavar='DIR', help='folder of prepared clips (default data/<name of the work dir>)')
    parser.add_argument('--movements', metavar='DIR',
                        help='folder of prepared clips of others, whose movements to learn (default: those of the synthetic actions)')
    parser.add_argument('--iterations', type=int, metavar='N', help='so many (default 600)')
    parser.add_argument('--resume', action='store_true', help='go on with the training that is in the work dir')
    parser.add_argument('--amp', nargs='?', const='bfloat16', default=None, choices=['bfloat16', 'float16', 'bf16', 'fp16'],
                        help='half precision for all networks (default bfloat16)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override keys of the config')
    args = parser.parse_args(argv)

    from toolkit import apis
    student = apis.distill(args.videos, args.work_dir, args.teacher, args.data, args.movements, args.iterations, args.resume,
                           args.amp or False, args.cfg_options)
    print(f'pictures: {Path(args.work_dir) / "vis"}\nthe student: {student}')
    print(spoken(f'python tools/live.py --person {args.work_dir} --camera 0'))


if __name__ == '__main__':
    main()
