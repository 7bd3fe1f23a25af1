"""Time and memory of a long training, tenth by tenth: both must stay flat.

    python benchmarks/flat_training.py                                       # 2,000 iterations of demo/synthetic at 96x64, --fast
    python benchmarks/flat_training.py --config own/textured --options data.root=data/mine --json flat.json

A whole run by the engine: data loader, losses, updates, log, checkpoints. Told are the median and the 95th percentile of the time of an
iteration in each tenth, by wall clock and CPU time, and the memory of the process at its end, with what the tenths before left.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import numpy as np
from mmengine.hooks import Hook

from toolkit.engine.launch import build_runner, load_config

SMALL = ['data.root={folder}/people', "data.synthetic={{'height':96,'width':64,'actors':[1],'actions':16,'frames':24}}"]


def memory() -> float:
    """Memory of this process in MiB."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 2**20


class Watch(Hook):
    """Notes the time of each iteration, and memory after each tenth.

    Args:
        iterations: of the run.
    """

    priority = 'VERY_LOW'

    def __init__(self, iterations: int) -> None:
        self.tenth, self.seconds, self.tenths = max(1, iterations // 10), [], []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        """Nothing but the first time: an iteration ends where the next one begins, so that loading and saving count."""
        now = time.perf_counter(), time.process_time()
        if self.seconds:
            self.seconds[-1] = [b - a for a, b in zip(self.seconds[-1], now)]
        if len(self.seconds) >= self.tenth:
            self.close()
        self.seconds.append(now)

    def after_train(self, runner) -> None:
        """The last tenth, without its last iteration, which nothing ends."""
        self.seconds.pop()
        if self.seconds:
            self.close()

    def close(self) -> None:
        """End a tenth."""
        wall, cpu = np.array(self.seconds).T * 1000
        row = dict(iterations=len(wall), wall_ms=float(np.median(wall)), wall_ms_95=float(np.percentile(wall, 95)),
                   cpu_ms=float(np.median(cpu)), memory_mib=memory())
        self.tenths.append(row)
        self.seconds = []
        print(f'tenth {len(self.tenths):2}: {row["wall_ms"]:7.1f} ms an iteration, 95 % {row["wall_ms_95"]:7.1f}, '
              f'CPU {row["cpu_ms"]:7.1f}, memory {row["memory_mib"]:7.1f} MiB', flush=True)


def main() -> None:
    """Parse the command line, train, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0], epilog=__doc__.partition('\n\n')[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default='demo/synthetic')
    parser.add_argument('--iterations', type=int, default=2000)
    parser.add_argument('--plain', action='store_true', help='without --fast')
    parser.add_argument('--options', nargs='+', default=SMALL, metavar='KEY=VALUE', help='overrides (default: small synthetic people)')
    parser.add_argument('--json', type=Path, metavar='FILE')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        options = [option.format(folder=folder) if args.options is SMALL else option for option in args.options]
        cfg = load_config(f'hvt::{args.config}', [*options, f'train_cfg.max_iters={args.iterations}', 'custom_hooks=[]'])
        runner = build_runner(cfg, Path(folder) / 'run', fast=not args.plain)
        watch = Watch(args.iterations)
        runner.register_hook(watch)
        runner.train()
    if args.json:
        args.json.write_text(json.dumps(dict(config=args.config, options=args.options, tenths=watch.tenths), indent=1))


if __name__ == '__main__':
    main()
