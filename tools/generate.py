"""Make the person of one picture or clip do what the person of another video does.

    python tools/generate.py work_dirs/stage2_pix2pixhd/iter_0300000.pth --content me.jpg --driving dancer.mp4 --out result.mp4

CONTENT and DRIVING may be prepared clips (tools/prepare_data.py); anything else is prepared first, once, beside the result. The
movement is moved and scaled to the body of the person who is generated. A checkpoint of a CycleGAN knows its two
persons: DRIVING then is a video of one of them, and --direction says of which.
"""

import argparse

from toolkit.cli import Interrupted, main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and generate."""
    summary, _, details = __doc__.partition('\n\n')
    parser = argparse.ArgumentParser(description=summary, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkpoint', help='checkpoint of tools/train.py')
    parser.add_argument('--content', metavar='PICTURE|VIDEO|CLIP', help='who is generated (not for a CycleGAN)')
    parser.add_argument('--driving', required=True, metavar='VIDEO|CLIP', help='who moves')
    parser.add_argument('--out', required=True, metavar='FILE', help='video to write (H.264: .mp4, .mkv or .mov)')
    parser.add_argument('--content-frame', type=int, default=0, metavar='N', help='frame of CONTENT to take (default 0)')
    parser.add_argument('--retarget', choices=['auto', 'on', 'off'], default='auto',
                        help='fit the movement to the body of CONTENT (auto: unless both are prepared clips of the same person)')
    parser.add_argument('--direction', choices=['ab', 'ba'], default='ab', help='of a CycleGAN: DRIVING shows its person A or B')
    parser.add_argument('--side-by-side', action='store_true', help='put the driving frame and the pose beside the result')
    parser.add_argument('--max-frames', type=int, metavar='N', help='stop after N frames')
    parser.add_argument('--work-dir', metavar='DIR', help='where unprepared inputs are prepared (default: beside the result)')
    parser.add_argument('--device', help='for example cuda:0 or cpu (default: the GPU if there is one)')
    parser.add_argument('--half', action='store_true', help='generate in bfloat16')
    args = parser.parse_args(argv)

    from toolkit import apis
    try:
        apis.generate(args.checkpoint, args.content, args.driving, args.out, args.content_frame, args.retarget, args.direction,
                      args.side_by_side, args.work_dir, args.max_frames, args.device, args.half)
    except KeyboardInterrupt:
        raise Interrupted('interrupted; prepared clips are kept, the frames so far are in the .partial video beside --out') from None
    print(f'written to {args.out}')


if __name__ == '__main__':
    main()
