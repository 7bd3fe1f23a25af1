"""Measure what a training would cost, before one starts it: ``python tools/estimate.py configs/own/video.py``.

Trains 20 iterations, after five to warm up, in a folder that is removed, and prints time, memory and disk of the whole training on this
machine. Data that a config renders on first use is rendered, as training would do. So are runs that it builds on trained, whole, where
they are not there: estimate the configs that its needs name before. Give the options of the training, --fast, --amp and --cfg-options,
too: they change the cost.
"""

from toolkit.cli import add_config_arguments, add_speed_arguments, described_parser, main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line, measure and print."""
    parser = described_parser(__doc__)
    add_config_arguments(parser)
    add_speed_arguments(parser)
    parser.add_argument('--iterations', type=int, default=20, metavar='N', help='how many to measure (default 20)')
    args = parser.parse_args(argv)

    from toolkit.engine.estimate import estimate
    print('\n'.join(estimate(args.config, args.cfg_options, args.amp or False, args.iterations, args.fast).lines()))


if __name__ == '__main__':
    main()
