"""Train a config: ``python tools/train.py configs/stage2_pix2pixhd.py``, or several processes with ``torchrun``."""

import argparse

from toolkit.cli import add_config_arguments, add_speed_arguments, main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_config_arguments(parser)
    parser.add_argument('--work-dir', help='folder for checkpoints and logs (default: work_dirs/<name of the config>)')
    parser.add_argument('--resume', nargs='?', const=True, default=False, metavar='CHECKPOINT',
                        help='go on from the latest checkpoint of the work dir, or from the one given')
    add_speed_arguments(parser)
    parser.add_argument('--on-nan', choices=['stop', 'rollback'],
                        help='when a loss is not finite any more: stop (default), or go back to the last checkpoint and halve the '
                             'learning rates, at most three times')
    parser.add_argument('--launcher', default=None, choices=['none', 'pytorch', 'slurm', 'mpi'],
                        help='who started the processes: pytorch for torchrun, which is noticed without, slurm for srun, mpi for '
                             'mpirun')
    parser.add_argument('--local-rank', '--local_rank', type=int, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)

    from toolkit.engine.launch import build_runner, load_config
    from toolkit.engine.processes import noticed_launcher
    cfg = load_config(args.config, args.cfg_options)
    if args.launcher is None and cfg.get('launcher', 'none') == 'none':
        args.launcher = noticed_launcher()
    build_runner(cfg, args.work_dir, args.resume, args.amp or False, args.launcher, on_nan=args.on_nan, fast=args.fast).train()


if __name__ == '__main__':
    main()
