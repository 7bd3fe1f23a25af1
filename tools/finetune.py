"""Fine-tune the generator of the toolkit on one person: ``python tools/finetune.py me.mp4 --work-dir work_dirs/me``.

The videos are prepared first, once, into data/<name of the work dir>; then configs/own/finetune.py is trained on all clips there, a
minute or two on two CPU cores. The last quarter of each clip is held out: the checkpoint that paints it best is kept, and pictures show
it before and after. An interrupted command goes on when it is given again with --resume.
"""

import shlex
from pathlib import Path

from toolkit.cli import main_guard, own_videos_parser, spoken


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line, prepare and train."""
    parser = own_videos_parser(__doc__, 'at most so many (default 80)')
    args = parser.parse_args(argv)

    from toolkit import apis
    best = apis.finetune(args.videos, args.work_dir, args.data, args.iterations, args.resume, args.amp or False, args.cfg_options,
                         fast=args.fast)
    print(f'before and after: {Path(args.work_dir) / "vis"}\nthe best checkpoint: {best}')
    command = ['python', 'tools/generate.py', best, '--content', args.videos[0] if args.videos else 'me.mp4', '--driving', 'dancer.mp4']
    print(spoken(shlex.join([*map(str, command), '--out', 'result.mp4'])))


if __name__ == '__main__':
    main()
