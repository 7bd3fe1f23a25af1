"""Compare methods: train each with one budget, test all on the same frames, write one table.

    python tools/benchmark.py benchmarks/people --workers 2

A SPEC is a config file such as configs/benchmarks/people.py, or its name: rows, clips, budgets of iterations or minutes, seeds.
table.md, table.csv, table.json, sheets with the same frames of all methods and, where the spec asks for it, a plot are written into
the folder of the benchmark. They are of all that is done there; --rows, --clips and --seeds choose what is run. A stopped benchmark
goes on with the same command: what is done is never done again, unless its part of the spec has changed. Several machines that share
the folder share the work: give the command on each.
"""

import argparse
from pathlib import Path

from toolkit.cli import described_parser, main_guard
from toolkit.structures import InputError


@main_guard
def main(argv: list[str] | None = None) -> int:
    """Parse the command line, do what is left, write the table; 1 where something of it failed."""
    parser = described_parser(__doc__)
    parser.add_argument('specs', nargs='+', metavar='SPEC',
                        help='benchmarks: config files, or their names, for example benchmarks/people')
    parser.add_argument('--out', metavar='DIR', help='folder of the benchmark (default work_dirs/benchmarks/<name of the spec>)')
    parser.add_argument('--workers', type=int, metavar='N', help='processes on this machine (default 1)')
    parser.add_argument('--device', help='for example cuda:0 or cpu (default: the GPUs in turn, if there are some)')
    parser.add_argument('--rows', nargs='+', metavar='NAME', help='run only these rows')
    parser.add_argument('--clips', nargs='+', metavar='NAME', help='run only these clips of the spec')
    parser.add_argument('--seeds', nargs='+', type=int, metavar='N', help='run only these seeds')
    parser.add_argument('--stop-after', type=float, metavar='MIN',
                        help='stop after so many minutes and write the table of what is done')
    parser.add_argument('--table', action='store_true', help='only write the table of what is done so far')
    parser.add_argument('--dry-run', action='store_true', help='only say what there is to do')
    parser.add_argument('--work', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args(argv)

    from toolkit.benchmark import run
    if args.work:
        run.work(Path(args.specs[0]), args.device)
        return 0
    if args.out and len(args.specs) > 1:
        raise InputError('--out names the folder of one benchmark: give one SPEC with it')
    if args.table and args.dry_run:
        raise InputError('--table writes what is done, and --dry-run says what there is to do; give one of them')
    for name in ('rows', 'clips', 'seeds', 'workers', 'device', 'stop_after') if args.table else ():
        if getattr(args, name) is not None:
            raise InputError(f'--{name.replace("_", "-")} is for what is run, and --table runs nothing; leave one of them out. The '
                             'table is of all that is done')
    benchmarks = [run.Benchmark(spec, args.out, args.rows, args.clips, args.seeds) for spec in args.specs]
    how = dict(workers=1 if args.workers is None else args.workers, device=args.device, minutes=args.stop_after)
    if args.dry_run:
        run.check_run(benchmarks, **how)
        print('\n'.join(benchmark.plan() for benchmark in benchmarks))
        return 0
    if not args.table:
        run.run_all(benchmarks, **how)
    failed = False
    for benchmark in benchmarks:
        table = benchmark.write()
        print(f'{table.as_markdown()}\nwritten to {benchmark.out}')
        failed |= table.failed
    return 1 if failed else 0


if __name__ == '__main__':
    main()
