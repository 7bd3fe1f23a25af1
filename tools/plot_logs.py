"""Draw losses and metrics of runs as a PNG: ``python tools/plot_logs.py work_dirs/mine work_dirs/other --out curves.png``.

A RUN is the work dir of a training, or its scalars.json. Each key has a panel, each run a color. What is printed beside it: how long an
iteration takes, how much of that is waiting for data, and of each key the last value, the least and the most.

    python tools/plot_logs.py work_dirs/mine --out losses.png --keys g/ d/ --smooth 0.9
"""

from toolkit.cli import described_parser, main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and draw."""
    parser = described_parser(__doc__)
    parser.add_argument('runs', nargs='+', metavar='RUN', help='work dirs of trainings, or their scalars.json')
    parser.add_argument('--out', required=True, metavar='FILE', help='PNG to write')
    parser.add_argument('--keys', nargs='+', default=[], metavar='KEY',
                        help='what to draw, names or their beginnings, such as g/ or lpips (default: all but learning rates)')
    parser.add_argument('--smooth', type=float, default=0., metavar='W',
                        help='smooth curves; weight of what was before, from 0 to below 1, such as 0.9')
    parser.add_argument('--overwrite', action='store_true', help='replace a file that is there')
    args = parser.parse_args(argv)

    from toolkit.analysis.curves import choose_keys, describe, plot_runs
    runs = plot_runs(args.runs, args.out, args.keys, args.smooth, args.overwrite)
    keys = choose_keys(runs, args.keys)
    print('\n'.join(line for run in runs for line in describe(run, keys)))
    print(f'written to {args.out}')


if __name__ == '__main__':
    main()
