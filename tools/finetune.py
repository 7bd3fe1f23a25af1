"""Fine-tune the generator of the toolkit on one person: ``python tools/finetune.py me.mp4 --work-dir work_dirs/me``.

The videos are prepared first, once, into data/<name of the work dir>; then configs/own/finetune.py is trained on all clips there, a
minute or two on two CPU cores. The last quarter of each clip is held out: the checkpoint that paints it best is kept, and pictures show
it before and after. An interrupted command goes on when it is given again with --resume.
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
    parser.add_argument('--data', metavar='DIR', help='folder of prepared clips (default data/<name of the work dir>)')
    parser.add_argument('--iterations', type=int, metavar='N', help='at most so many (default 80)')
    parser.add_argument('--resume', action='store_true', help='go on with the training that is in the work dir')
    parser.add_argument('--amp', nargs='?', const='bfloat16', default=None, choices=['bfloat16', 'float16', 'bf16', 'fp16'],
                        help='half precision for all networks (default bfloat16)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override keys of the config')
    args = parser.parse_args(argv)

    from toolkit import apis
    best = apis.finetune(args.videos, args.work_dir, args.data, args.iterations, args.resume, args.amp or False, args.cfg_options)
    print(f'before and after: {Path(args.work_dir) / "vis"}\nthe best checkpoint: {best}')
    content = args.videos[0] if args.videos else 'me.mp4'
    print(spoken(f'python tools/generate.py {best} --content {content} --driving dancer.mp4 --out result.mp4'))


if __name__ == '__main__':
    main()
