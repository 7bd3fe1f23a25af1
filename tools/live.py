"""Make the person of a clip move as you do in front of a camera, at once.

    python tools/live.py --camera 0 --person me.mp4                                # a window; q ends, r fits to your body anew
    python tools/live.py --input dance.mp4 --person data/mine/me --out live.mp4    # a file that plays as a camera would
    python tools/live.py --input rtsp://192.168.1.9/1 --person work_dirs/me --out rtmp://localhost/live/me

PERSON is a prepared clip, a video or a picture of somebody, whom the generator of the toolkit paints; or a checkpoint or the work dir
of a run, for example of tools/finetune.py. Frames that come faster than they can be painted are dropped, so that the picture never
falls behind. It shows frames a second and its latency: the time from when a frame was read to when its picture was handed to the
screen, file or stream, median and 95th percentile of the last 60.

Faster: a smaller --size. Better: fine-tuning on the person, a larger --size, a GPU. A camera or a stream that is lost is opened again.
"""

import argparse

from toolkit.cli import add_allow_import, described_parser, main_guard, numbers, part_config, spoken


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = described_parser(__doc__)
    parser.add_argument('--camera', type=int, metavar='N', help='camera of this computer, 0 is the first')
    parser.add_argument('--input', metavar='FILE|ADDRESS', help='a video that plays as a camera would, or a stream such as rtsp://...')
    parser.add_argument('--person', required=True, metavar='CLIP|VIDEO|PICTURE|CHECKPOINT', help='who is painted')
    parser.add_argument('--content', metavar='CLIP|VIDEO|PICTURE',
                        help='whom a checkpoint paints (default: a clip that it was trained on)')
    parser.add_argument('--out', default='window', metavar='window|FILE|ADDRESS|camera',
                        help='a window (default), a video file, a stream such as rtmp://host/app/key, or a virtual camera')
    parser.add_argument('--size', type=numbers('HEIGHTxWIDTH, for example 192x128', 2, int, 'x'), metavar='HxW',
                        help='size to paint at (default: that of the training; for a model with references, as the generator of the '
                             'toolkit is one, that of the clip, on a CPU about 144x96)')
    parser.add_argument('--pose', nargs='+', metavar=('TYPE', 'KEY=VALUE'),
                        help='pose estimator for the frames that come (default MediaPipePose if its plugin is installed, else '
                             'OpenPoseMobile); a PERSON who is not prepared is prepared by the default one')
    parser.add_argument('--import', dest='imports', nargs='+', default=[], metavar='MODULE',
                        help='modules that register pose estimators of your own; the current folder counts')
    parser.add_argument('--retarget', choices=['on', 'off'],
                        help='fit the movement to the body of PERSON (default on; not for a CycleGAN)')
    parser.add_argument('--up-color', metavar='#RRGGBB', help='color of the upper garment')
    parser.add_argument('--down-color', metavar='#RRGGBB', help='color of the lower garment')
    parser.add_argument('--direction', choices=['ab', 'ba'], help='of a CycleGAN: the camera shows its person A (default) or B')
    parser.add_argument('--side-by-side', action='store_true', help='show the picture of the camera, with the pose, beside the result')
    parser.add_argument('--plain', action='store_true', help='show the result without figures on it')
    parser.add_argument('--loop', action='store_true', help='play the file of --input again and again')
    parser.add_argument('--seconds', type=float, metavar='S', help='stop after so many seconds')
    parser.add_argument('--patience', type=float, metavar='S',
                        help='give up after so many seconds without a frame of a camera or a stream (default 30)')
    parser.add_argument('--benchmark', metavar='FILE', help='write frames a second, latency of each stage and memory as JSON')
    parser.add_argument('--overwrite', action='store_true', help='replace files that are there')
    parser.add_argument('--work-dir', default='work_dirs/live', metavar='DIR', help='where an unprepared PERSON is prepared')
    parser.add_argument('--device', help='for example cuda:0 or cpu (default: the GPU if there is one)')
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument('--half', action='store_const', const=True, default=None, dest='half',
                           help='paint in bfloat16 (default: where that is faster)')
    precision.add_argument('--full', action='store_const', const=False, dest='half', help='paint in float32')
    add_allow_import(parser)
    return parser.parse_args(argv)


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and run until it is stopped."""
    args = parse_args(argv)

    from toolkit import apis
    apis.live(args.person, args.camera, args.input, args.out, content=args.content, size=args.size, pose=part_config(args.pose),
              retarget={'on': True, 'off': False, None: None}[args.retarget], up=args.up_color, down=args.down_color,
              direction=args.direction, side_by_side=args.side_by_side, figures=not args.plain, loop=args.loop, seconds=args.seconds,
              patience=args.patience, benchmark=args.benchmark, overwrite=args.overwrite, work_dir=args.work_dir, device=args.device,
              half=args.half, imports=args.imports, allow_imports=args.allow_import, say=lambda line: print(spoken(line), flush=True))


if __name__ == '__main__':
    main()
