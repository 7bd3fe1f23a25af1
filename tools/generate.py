"""Make the person of one picture or clip do what the person of another video does.

    python tools/generate.py --content me.mp4 --driving dancer.mp4 --out result.mp4
    python tools/generate.py work_dirs/stage2_pix2pixhd/iter_0300000.pth --content me.jpg --driving dancer.mp4 --out result.mp4

Without a checkpoint the generator that comes with the toolkit is used. It has learned from other people, and takes the pixels of
CONTENT: the more footage that is, the better. Fine-tuning it on CONTENT makes it better still.

CONTENT and DRIVING may be prepared clips (tools/prepare_data.py); anything else is prepared first, once, beside the result. The
movement is moved and scaled to the body of the person who is generated. A checkpoint of a CycleGAN knows its two
persons: DRIVING then is a video of one of them, and --direction says of which.

A checkpoint of configs/stage2_colors.py or stage2_end_to_end.py, or one with references, also chooses the colors of the clothes, in one
of five ways:

    --up-color '#c03030' --down-color '#2040a0'     one or both garments of CONTENT in another color; its lightness stays
    --color-from friend.jpg --color-regions up      as somebody else wears it
    --outfits '#c03030,#2040a0' ',#30c030' me.jpg   a video for each outfit 'UP,DOWN' or picture, result_0.mp4 to result_2.mp4, and
                                                    result.png; one video of all with --side-by-side
    --sample 4 --seed 1                             the same in four colors of chance
    --interpolate '#c03030,' '#30c030,#2040a0'      changing while the person moves, between two outfits 'UP,DOWN' or two pictures
"""

import argparse
import shlex
from pathlib import Path

from toolkit.cli import Interrupted, add_allow_import, described_parser, main_guard, numbers, spoken
from toolkit.packaged import PRETRAINED

FINE_TUNE = '''This was made by the generator that comes with the toolkit. A minute of fine-tuning on this person makes it better:
    python tools/finetune.py {} --work-dir work_dirs/me'''


def footage(content: str) -> str:
    """What to fine-tune on: CONTENT as one types it, or, where it is a picture, a video of the person."""
    from toolkit.video.picture_file import PICTURE_SUFFIXES
    path, typed = Path(content), shlex.quote(content)
    if (path / 'manifest.json').is_file():
        return f'--data {typed}'
    return 'me.mp4' if path.suffix.lower() in PICTURE_SUFFIXES else typed


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = described_parser(__doc__)
    parser.add_argument('checkpoint', nargs='?',
                        help='checkpoint, or the work dir of a run (default: the generator that comes with the toolkit)')
    parser.add_argument('--content', metavar='PICTURE|VIDEO|CLIP', help='who is generated (not for a CycleGAN)')
    parser.add_argument('--driving', required=True, metavar='VIDEO|CLIP', help='who moves')
    parser.add_argument('--out', required=True, metavar='FILE', help='video to write (H.264: .mp4, .mkv or .mov)')
    parser.add_argument('--content-frame', type=int, default=0, metavar='N',
                        help='frame of CONTENT to take, counted from the first that shows the person (default 0)')
    parser.add_argument('--references', nargs='+', default=[], metavar='PICTURE|VIDEO|CLIP',
                        help='more footage of the person of CONTENT, in the same clothes, for a checkpoint that takes references')
    parser.add_argument('--retarget', choices=['auto', 'on', 'off'], default='auto',
                        help='fit the movement to the body of CONTENT (auto: unless both are made of one video, or were prepared with '
                             'the same --person NAME)')
    parser.add_argument('--direction', choices=['ab', 'ba'], help='of a CycleGAN: DRIVING shows its person A (default) or B')
    parser.add_argument('--side-by-side', action='store_true', help='put the driving frame, the pose and all results beside each other')
    parser.add_argument('--size', type=numbers('HEIGHTxWIDTH, for example 384x256', 2, int, 'x'), metavar='HxW',
                        help='size to generate at (default: that of training; for a checkpoint with references, as the generator that '
                             'comes with the toolkit is one, that of CONTENT as it is prepared)')
    parser.add_argument('--max-frames', type=int, metavar='N',
                        help='stop after N frames. DRIVING is prepared whole all the same: where its person is put depends on all of '
                             'it. To try the beginning of a long film prepare that alone first, with --end SECONDS')
    parser.add_argument('--no-audio', dest='audio', action='store_false', help='leave out the sound of DRIVING')
    parser.add_argument('--overwrite', action='store_true', help='replace results that are there')
    parser.add_argument('--work-dir', metavar='DIR', help='where unprepared inputs are prepared (default: beside the result)')
    parser.add_argument('--device', help='for example cuda:0 or cpu (default: the GPU if there is one)')
    add_allow_import(parser)
    speed = parser.add_mutually_exclusive_group()
    speed.add_argument('--half', action='store_true', help='generate in bfloat16')
    speed.add_argument('--fast', nargs='?', const='auto', metavar='WAY',
                       help='what is fastest on this machine, said in one line: OpenVINO or bfloat16 on a CPU, a CUDA graph on a GPU; '
                            'pictures agree to a few levels of 255. WAY names one: half, openvino, graph, compile (takes minutes '
                            'first), or a file that hvt export wrote of this checkpoint, which also says the size')
    colors = parser.add_argument_group('colors', 'what the person wears (default: the clothes of CONTENT)')
    colors.add_argument('--up-color', metavar='#RRGGBB', help='color of the upper garment')
    colors.add_argument('--down-color', metavar='#RRGGBB', help='color of the lower garment')
    ways = colors.add_mutually_exclusive_group()
    ways.add_argument('--color-from', metavar='PICTURE|VIDEO|CLIP', help='take the colors of this person, as first seen in it')
    ways.add_argument('--outfits', nargs='+', default=[], metavar='OUTFIT',
                      help="a video for each; an outfit is 'UP,DOWN' (two colors, either may be empty) or a picture, video or clip")
    ways.add_argument('--sample', type=int, default=0, metavar='N', help='N videos in random colors, and a sheet of all')
    ways.add_argument('--interpolate', nargs=2, metavar=('OUTFIT', 'OUTFIT'),
                      help='go from one outfit to the other over the video')
    colors.add_argument('--seed', type=int, default=0, metavar='S', help='of --sample (default 0)')
    colors.add_argument('--color-regions', choices=['up', 'down', 'both'], default='both',
                        help='garments that --sample changes and that pictures, videos and clips lend their color to (default both)')
    args = parser.parse_args(argv)
    if args.fast == '':
        parser.error('--fast: the way is an empty text; name one, or say --fast alone')
    if args.checkpoint == '':
        parser.error('the checkpoint is an empty text: name it, or leave it out for the generator that comes with the toolkit')
    if args.allow_import and not args.checkpoint:
        parser.error('--allow-import is for a checkpoint of your own, and none is given: name it, or leave --allow-import out')
    if (args.up_color or args.down_color) and (args.color_from or args.outfits or args.sample or args.interpolate):
        parser.error('--up-color and --down-color exclude --color-from, --outfits, --sample and --interpolate')
    return args


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and generate."""
    args = parse_args(argv)

    from toolkit import apis
    from toolkit.inference.unfinished import is_kept
    from toolkit.outputs import partial_video
    colors = apis.Colors(args.up_color, args.down_color, args.color_from, args.outfits, args.sample, args.interpolate, args.seed,
                         args.color_regions)
    request = apis.Request(args.driving, args.content, args.content_frame, args.retarget, args.direction, args.max_frames, args.size,
                           colors, args.references)
    result = apis.Result(args.out, colors, args.side_by_side, args.overwrite)
    checkpoint = args.checkpoint or PRETRAINED
    result.check([*([args.checkpoint] if args.checkpoint else []), *request.inputs])
    try:
        trained = apis.load(checkpoint, args.device, args.half, args.allow_import, args.fast or False)
        if trained.fast:
            print(trained.fast)
        chosen = apis.choose(trained, request, args.work_dir or result.prepared)
        out = result.write(chosen, apis.paint(trained, chosen), args.audio)
    except KeyboardInterrupt:
        kept = ', '.join(str(path) for path in map(partial_video, result.videos) if path.exists())
        more = f', the frames so far are in {kept}' if kept else ''
        more += '; the same command goes on' if is_kept(result.out) else ''
        raise Interrupted(f'interrupted; prepared clips are kept{more}') from None
    print(f'written to {out}')
    if not args.checkpoint:
        print(spoken(FINE_TUNE.format(footage(args.content))))


if __name__ == '__main__':
    main()
