"""Write what generates of a checkpoint into one small file: ``python tools/publish_model.py work_dirs/video --out me.safetensors``.

The file holds the averaged generator in half precision and its config. tools/generate.py and tools/test.py take it as a checkpoint, and
``load_from`` of a config starts a training from it. The checkpoint itself is needed to go on with its training alone.
"""

from pathlib import Path

from toolkit.cli import described_parser, main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and publish."""
    parser = described_parser(__doc__)
    parser.add_argument('checkpoint', help='checkpoint, or the work dir of a run')
    parser.add_argument('--out', required=True, metavar='FILE', help='file to write (.safetensors)')
    parser.add_argument('--results', metavar='FILE',
                        help='what the test of this checkpoint wrote with --out (JSON): its numbers go into the file')
    parser.add_argument('--dtype', choices=['float16', 'bfloat16', 'float32'], default='float16',
                        help='of the weights (default float16)')
    parser.add_argument('--any-size', action='store_true',
                        help='forget the size of the frames that it was trained on: it then generates at the size of the clips')
    parser.add_argument('--overwrite', action='store_true', help='replace the file when it is there')
    args = parser.parse_args(argv)

    from toolkit.engine.export import check_export, export_checkpoint
    from toolkit.inference.loading import load
    check_export(args.checkpoint, args.out, args.dtype, args.overwrite, args.results)
    load(args.checkpoint, 'cpu').model.check_generates()
    about = export_checkpoint(args.checkpoint, args.out, args.dtype, args.any_size, args.overwrite, args.results)
    print(f'written to {args.out}, {Path(args.out).stat().st_size / 2**20:.1f} MB, sha256 of its weights {about["sha256"]}')


if __name__ == '__main__':
    main()
