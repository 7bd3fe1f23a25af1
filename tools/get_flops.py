"""Parameters and multiply-accumulates of every network of a config: ``python tools/get_flops.py CONFIG``.

Networks that losses look through are not counted, and their weights are not fetched.
"""

import logging
import warnings

from toolkit.cli import add_config_arguments, described_parser, main_guard, numbers


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and print a table."""
    parser = described_parser(__doc__)
    add_config_arguments(parser)
    parser.add_argument('--size', type=numbers('HEIGHTxWIDTH, for example 384x256', 2, int, 'x'), metavar='HxW',
                        help="picture size (default: the config's, else 384x256)")
    args = parser.parse_args(argv)

    from toolkit.engine.build_errors import naming_parts
    from toolkit.engine.config import load_config
    from toolkit.engine.flops import config_size, config_window, count_flops
    from toolkit.registry import MODELS
    from toolkit.structures import InputError
    if args.size and min(args.size) < 16:
        raise InputError(f'--size must be at least 16x16, got {args.size[0]}x{args.size[1]}')
    cfg = load_config(args.config, args.cfg_options)
    height, width = args.size or config_size(cfg)
    for loss in (cfg.model.get('losses') or {}).values():
        if isinstance(loss, dict) and loss.get('download'):
            loss['download'] = False
    warnings.simplefilter('ignore')
    logging.getLogger('fvcore').setLevel(logging.ERROR)
    with naming_parts(cfg._cfg_dict):
        model = MODELS.build(cfg.model)
    rows = count_flops(model, cfg.get('optim_wrapper'), height, width, config_window(cfg))
    print(f'{"network":<14} {"class":<26} {"parameters":>14} {"GMACs a call":>13} {"calls a step":>13}')
    for row in rows:
        macs = '-' if row.macs is None else f'{row.macs / 1e9:.2f}'
        print(f'{row.name:<14} {row.kind:<26} {row.parameters:>14,} {macs:>13} {row.calls:>13}')
    print(f'one sample at {height}x{width}; multiply-accumulates counted by fvcore')


if __name__ == '__main__':
    main()
