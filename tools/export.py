"""Write the network of a generator as ONNX: ``python tools/export.py work_dirs/me --size 384x256 --out me.onnx``.

ONNX Runtime, OpenVINO and TensorRT run such files. tools/generate.py --fast me.onnx uses it in place of the network of the checkpoint
that it was made from, and generates at its size.
Warping the references and the edges stays with the toolkit. The numbers of the file are compared with those of the network.

With --freeze-norms ME the instance norms become constants, the mean over frames of a clip of the person, and cost nothing any
more; what this does to pictures is said. tools/generate.py warns where such a file paints somebody else.
"""

import argparse
from pathlib import Path

from toolkit.cli import add_allow_import, described_parser, main_guard, numbers
from toolkit.packaged import PRETRAINED


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = described_parser(__doc__)
    parser.add_argument('checkpoint', nargs='?',
                        help='checkpoint, or the work dir of a run (default: the generator that comes with the toolkit)')
    parser.add_argument('--out', required=True, metavar='FILE', help='file to write (.onnx)')
    parser.add_argument('--size', type=numbers('HEIGHTxWIDTH, for example 384x256', 2, int, 'x'), metavar='HxW',
                        help='size of the frames that it will paint (default: that of training; a checkpoint with references has none)')
    parser.add_argument('--freeze-norms', metavar='CLIP', help='a prepared clip of the person over whose frames norms are frozen')
    parser.add_argument('--overwrite', action='store_true', help='replace the file when it is there')
    add_allow_import(parser)
    args = parser.parse_args(argv)
    if args.checkpoint == '':
        parser.error('the checkpoint is an empty text: name it, or leave it out for the generator that comes with the toolkit')
    if args.freeze_norms == '':
        parser.error('--freeze-norms: expected a prepared clip, got an empty text')
    if args.allow_import and not args.checkpoint:
        parser.error('--allow-import is for a checkpoint of your own, and none is given: name it, or leave --allow-import out')
    return args


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and export."""
    args = parse_args(argv)

    from toolkit.clips.clip import Clip
    from toolkit.inference.exporting import check_export, export_network
    from toolkit.inference.loading import load
    from toolkit.outputs import refuse_inputs
    from toolkit.structures import InputError
    check_export(args.out, args.overwrite)
    frozen_on = Clip(args.freeze_norms) if args.freeze_norms else None
    refuse_inputs([args.out], [args.freeze_norms] if args.freeze_norms else [])
    trained = load(args.checkpoint or PRETRAINED, 'cpu', allow_imports=args.allow_import)
    size = args.size or trained.size
    if size is None:
        raise InputError('this checkpoint paints frames of any size, a file of ONNX those of one: say which by --size HxW')
    about = export_network(trained, args.out, size, frozen_on, args.overwrite)
    inputs = ', '.join(f'{name} {"x".join(map(str, shape))}' for name, shape in about['inputs'].items())
    frozen = f', {about["norms"]} norms frozen, which changes pictures by {about["change"]:.2f} of 255' if args.freeze_norms else ''
    print(f'written to {args.out}, {Path(args.out).stat().st_size / 1e6:.1f} MB: {about["name"]} of {inputs}{frozen}; largest '
          f'difference from the network {about["difference"]:.1g}')


if __name__ == '__main__':
    main()
