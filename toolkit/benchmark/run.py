"""A benchmark from its config file to its table."""

import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from toolkit.benchmark.plan import units_of
from toolkit.benchmark.sheet import write_plot, write_sheets
from toolkit.benchmark.spec import read_spec
from toolkit.benchmark.tables import Table
from toolkit.benchmark.work import UNITS, Workers, result_of, tidy, work
from toolkit.cli import Interrupted
from toolkit.doors import read_json
from toolkit.files import check_output, make_folder, write_json
from toolkit.machine import chosen_device
from toolkit.registry import did_you_mean, load_plugins
from toolkit.structures import InputError

__all__ = ['Benchmark', 'run_all', 'work']
SILENCE = 20.0
"""Least seconds between two lines of progress where there is no terminal for a bar."""
OWNER = 'spec.json'
"""In the folder of a benchmark: of which file it is. Paths on different machines do not compare."""


class Benchmark:
    """A benchmark, of which all or some is run.

    Args:
        path: config file, or the name of one of the toolkit's.
        out: folder; default ``work_dirs/benchmarks/<name of the file>``.
        rows, clips, seeds: only these are run; a row without training has no seed, and stays.

    Attributes:
        spec: what the file says.
        units: what is run, the longest first.
        whole: all that the file names; the table is of all of it that is done.
        out: the folder.

    Raises:
        InputError: names the key, or what is not there; a folder of another file, or of other things.
    """

    def __init__(self, path: str | Path, out: str | Path | None = None, rows: Sequence[str] | None = None,
                 clips: Sequence[str] | None = None, seeds: Sequence[int] | None = None) -> None:
        load_plugins()
        self.spec = read_spec(path)
        self.out = Path(out or Path('work_dirs') / 'benchmarks' / self.spec.path.stem)
        check_output(self.out, folder=True)
        self._check_owner()
        used = {seed for row in self.spec.rows if not row.untrained for seed in row.seeds or self.spec.seeds}
        for what, wanted, known in (('rows', rows, [row.name for row in self.spec.rows]), ('clips', clips, list(self.spec.clips)),
                                    ('seeds', seeds, sorted(used))):
            known = list(map(str, known))
            for name in map(str, wanted or ()):
                if name not in known:
                    raise InputError(f'--{what} {name}: {self.spec.path} has {", ".join(known)}.{did_you_mean(name, known)}')

        def chosen(row: str, clip: str) -> bool:
            return (not rows or row in rows) and (not clips or clip in clips)

        self.whole = units_of(self.spec, chosen)
        self.units = [unit for unit in self.whole if chosen(unit.row, unit.clip)
                      and (seeds is None or unit.untrained or unit.seed in seeds)]
        if not self.units:
            raise InputError(f'{self.spec.path}: nothing is left to do; choose other rows, clips or seeds')

    def _check_owner(self) -> bool:
        """Refuse a folder of another file, or of other things; whether it is known to be of this one."""
        path = self.out / OWNER
        if not path.exists():
            if self.out.is_dir() and not (self.out / UNITS).exists() and any(not p.name.startswith('.') for p in self.out.iterdir()):
                raise InputError(f'{self.out}: holds files that no benchmark wrote, and the table or a sheet might replace one; give '
                                 'another --out')
            return False
        owner = read_json(path)
        if not isinstance(owner, dict) or not {'host', 'spec'} <= owner.keys():
            raise InputError(f'{path}: was not written by a benchmark; give another --out')
        if owner['host'] == socket.gethostname() and owner['spec'] != str(self.spec.path.resolve()):
            raise InputError(f'{self.out}: holds the results of {owner["spec"]}, not of {self.spec.path}; give another --out. If that '
                             f'file was only moved, remove {path}')
        return True

    def make_folder(self) -> None:
        """Make the folder, and write down of which file it is."""
        make_folder(self.out)
        if not self._check_owner():
            write_json(self.out / OWNER, dict(host=socket.gethostname(), spec=str(self.spec.path.resolve())))

    def plan(self) -> str:
        """What there is to do, a line a unit."""
        results = [result_of(self.out, unit) for unit in self.units]
        states = ['' if result is None else 'failed' if result.get('error') else 'done' for result in results]
        lines = [f'{state:6} {unit.row} on {unit.clip}, seed {unit.seed}: '
                 f'{", ".join(f"{point:g}" for point in unit.points) or "-"} {"minutes" if unit.timed else "iterations"}'
                 for state, unit in zip(states, self.units)]
        minutes = sum(unit.points[-1] for unit in self.units if unit.timed)
        iterations = sum(unit.points[-1] for unit in self.units if unit.points and not unit.timed)
        failed = f', {states.count("failed")} failed and tried again' if 'failed' in states else ''
        return '\n'.join([*lines, f'{len(states)} units, {states.count("done")} done{failed}: {iterations:,g} iterations and '
                                  f'{minutes:g} minutes of training in all'])

    def write(self) -> Table:
        """Write the table, the sheets and the plot of all that is done so far, by this command or by others."""
        results = {unit.name: result for unit in self.whole if (result := result_of(self.out, unit)) is not None}
        self.make_folder()
        table = Table(self.spec, self.whole, results, self.units)
        table.write(self.out)
        write_sheets(self.out, self.whole, results, table.labels)
        write_plot(self.out, table)
        return table


def check_run(benchmarks: Sequence[Benchmark], workers: int = 1, device: str | None = None, minutes: float | None = None) -> None:
    """See that benchmarks can be run so, see :func:`run_all`.

    Raises:
        InputError: fewer than one worker, no time, no such device, two benchmarks of one folder.
    """
    if workers < 1:
        raise InputError(f'--workers must be at least 1, got {workers}')
    if minutes is not None and not minutes > 0:
        raise InputError(f'--stop-after must be more than 0 minutes, got {minutes:g}')
    chosen_device(device)
    folders = [benchmark.out.resolve() for benchmark in benchmarks]
    for number, benchmark in enumerate(benchmarks):
        if folders[number] in folders[:number]:
            raise InputError(f'{benchmark.spec.path}: another file of this command has the folder {benchmark.out}, too; give each a '
                             'command of its own, with another --out')


def run_all(benchmarks: Sequence[Benchmark], workers: int = 1, device: str | None = None, minutes: float | None = None) -> None:
    """Do what is left of some benchmarks, the longest units first.

    Args:
        benchmarks: which.
        workers: processes on this machine, for all of them together.
        device: see :class:`toolkit.benchmark.work.Workers`.
        minutes: stop after so many.

    Raises:
        InputError: see :func:`check_run`.
        Interrupted: the user stopped it.
    """
    check_run(benchmarks, workers, device, minutes)
    for benchmark in benchmarks:
        benchmark.make_folder()
        tidy(benchmark.out)
    jobs = sorted(((benchmark.out, unit) for benchmark in benchmarks for unit in benchmark.units), key=lambda job: -job[1].size)
    running = Workers(jobs, workers, device)
    bar = tqdm(total=len(jobs), bar_format='{bar}| {elapsed} {desc}', disable=not sys.stderr.isatty())
    said: dict[str, float | str] = dict(text='', time=-SILENCE)

    def tell(text: str) -> None:
        bar.set_description_str(text, refresh=False)
        bar.update(len(running.results) - bar.n)
        bar.refresh()
        if bar.disable and text != said['text'] and time.monotonic() - said['time'] > SILENCE:
            print(text, flush=True)
            said.update(text=text, time=time.monotonic())

    try:
        running.run(tell, minutes, bar.write if not bar.disable else lambda line: print(line, flush=True))
        tell(running.progress())
    except KeyboardInterrupt:
        raise Interrupted(f'interrupted: {running.progress()}. The same command goes on; --table writes what is done') from None
    finally:
        bar.close()
