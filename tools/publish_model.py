"""Write what generates of a checkpoint into one small file: ``python tools/publish_model.py work_dirs/video --out me.safetensors``.

The file holds the averaged generator in half precision and its config. tools/generate.py and tools/test.py take it as a checkpoint, and
``load_from`` of a config starts a training from it. The checkpoint itself is needed to go on with its training alone.

In place of a checkpoint a config may stand whose networks have converted weights (tools/convert_weights.py):

    python tools/publish_model.py cyclegan --out model.safetensors --cfg-options \\
        networks_from.net_g_ab=g_a.safetensors networks_from.net_g_ba=g_b.safetensors
"""

from pathlib import Path

from toolkit.cli import add_allow_import, described_parser, main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and publish."""
    parser = described_parser(__doc__)
    parser.add_argument('checkpoint', help='checkpoint, or the work dir of a run; or a config, or the name of one')
    parser.add_argument('--out', required=True, metavar='FILE', help='file to write (.safetensors)')
    parser.add_argument('--results', metavar='FILE',
                        help='what the test of this checkpoint wrote with --out (JSON): its numbers go into the file')
    parser.add_argument('--dtype', choices=['float16', 'bfloat16', 'float32'], default='float16',
                        help='of the weights (default float16)')
    parser.add_argument('--any-size', action='store_true',
                        help='forget the size of the frames that it was trained on: it then generates at the size of the clips')
    parser.add_argument('--overwrite', action='store_true', help='replace the file when it is there')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='of a config: override keys of it')
    add_allow_import(parser)
    args = parser.parse_args(argv)

    from toolkit.engine.config import load_config
    from toolkit.engine.export import check_export, export_checkpoint
    from toolkit.inference.loading import load
    from toolkit.packaged import config_names
    from toolkit.structures import InputError
    source = args.checkpoint
    if Path(source).suffix == '.py' or not Path(source).exists() and source.removeprefix('hvt::') in config_names():
        source = load_config(source, args.cfg_options)
    elif args.cfg_options:
        raise InputError(f'--cfg-options is for a config; {source} is a checkpoint, which has its own')
    if args.allow_import and source is not args.checkpoint:
        raise InputError(f'--allow-import is for a checkpoint; {args.checkpoint} is a config, whose modules are imported anyway')
    check_export(source, args.out, args.dtype, args.overwrite, args.results)
    if source is args.checkpoint:
        load(source, 'cpu', allow_imports=args.allow_import).model.check_generates()
    about = export_checkpoint(source, args.out, args.dtype, args.any_size, args.overwrite, args.results, args.allow_import)
    print(f'written to {args.out}, {Path(args.out).stat().st_size / 1e6:.1f} MB, sha256 of its weights {about["sha256"]}')


if __name__ == '__main__':
    main()
