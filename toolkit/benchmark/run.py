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
from toolkit.benchmark.work import Workers, result_of, work
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
    """A benchmark, all of it or some of it.

    Args:
        path: config file, or the name of one of the toolkit's.
        out: folder; default ``work_dirs/benchmarks/<name of the file>``.
        rows, clips, seeds: only these; a row without training has no seed, and stays.

    Attributes:
        spec: what the file says.
        units: its runs, the longest first.
        whole: whether they are of all rows and clips.
        out: the folder.

    Raises:
        InputError: names the key, or what is not there; a folder of another file.
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
        self.whole = not rows and not clips
        if rows:
            self.spec.rows = [row for row in self.spec.rows if row.name in rows]
        if clips:
            self.spec.clips = {name: clip for name, clip in self.spec.clips.items() if name in clips}
            for row in self.spec.rows:
                row.clips = [name for name in row.clips or self.spec.clips if name in clips]
            self.spec.rows = [row for row in self.spec.rows if row.clips]
        self.units = [unit for unit in units_of(self.spec) if seeds is None or unit.untrained or unit.seed in seeds]
        if not self.units:
            raise InputError(f'{self.spec.path}: nothing is left to do; choose other rows, clips or seeds')

    def _check_owner(self) -> bool:
        """Refuse a folder of another file; whether it is known to be of this one."""
        path = self.out / OWNER
        owner = read_json(path) if path.exists() else {}
        if owner and owner['host'] == socket.gethostname() and owner['spec'] != str(self.spec.path.resolve()):
            raise InputError(f'{self.out}: holds the results of {owner["spec"]}, not of {self.spec.path}; give another --out. If that '
                             f'file was only moved, remove {path}')
        return bool(owner)

    def make_folder(self) -> None:
        """Make the folder, and write down of which file it is."""
        make_folder(self.out)
        if not self._check_owner():
            write_json(self.out / OWNER, dict(host=socket.gethostname(), spec=str(self.spec.path.resolve())))

    def plan(self) -> str:
        """What there is to do, a line a unit."""
        done = {unit.name for unit in self.units if result_of(self.out, unit) is not None}
        lines = [f'{"done " if unit.name in done else "     "}{unit.row} on {unit.clip}, seed {unit.seed}: '
                 f'{", ".join(f"{point:g}" for point in unit.points) or "-"} {"minutes" if unit.timed else "iterations"}'
                 for unit in self.units]
        minutes = sum(unit.points[-1] for unit in self.units if unit.timed)
        iterations = sum(unit.points[-1] for unit in self.units if unit.points and not unit.timed)
        return '\n'.join([*lines, f'{len(self.units)} units, {len(done)} done: {iterations:,g} iterations and {minutes:g} minutes of '
                                  f'training in all'])

    def write(self) -> Table:
        """Write the table, the sheets and the plot of what is done so far."""
        results = {unit.name: result for unit in self.units if (result := result_of(self.out, unit)) is not None}
        self.make_folder()
        table = Table(self.spec, self.units, results, self.whole)
        table.write(self.out)
        write_sheets(self.out, self.spec, self.units, results, table.labels)
        write_plot(self.out, table)
        return table


def run_all(benchmarks: Sequence[Benchmark], workers: int = 1, device: str | None = None, minutes: float | None = None) -> None:
    """Do what is left of some benchmarks, the longest units first.

    Args:
        benchmarks: which.
        workers: processes on this machine, for all of them together.
        device: see :class:`toolkit.benchmark.work.Workers`.
        minutes: stop after so many.

    Raises:
        InputError: fewer than one worker, no such device, two benchmarks of one folder.
        Interrupted: the user stopped it.
    """
    if workers < 1:
        raise InputError(f'--workers must be at least 1, got {workers}')
    chosen_device(device)
    folders = [benchmark.out.resolve() for benchmark in benchmarks]
    for number, benchmark in enumerate(benchmarks):
        if folders[number] in folders[:number]:
            raise InputError(f'{benchmark.spec.path}: another file of this command has the folder {benchmark.out}, too; give each a '
                             'command of its own, with another --out')
    for benchmark in benchmarks:
        benchmark.make_folder()
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
