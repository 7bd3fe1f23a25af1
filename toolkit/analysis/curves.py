"""Curves of training runs: losses, learning rates and metrics over iterations, read from what runs log."""

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.doors import read_bytes
from toolkit.files import check_output, result_file
from toolkit.outputs import refuse_existing, refuse_inputs
from toolkit.registry import did_you_mean
from toolkit.structures import InputError

SCALARS = '*/vis_data/scalars.json'
COUNTERS = ('iter', 'step', 'epoch')
COSTS = ('time', 'data_time', 'memory')
COLUMNS = 4
COLORS, LINES = 10, ('-', '--', ':', '-.')


@dataclass
class Run:
    """What a run logged.

    Attributes:
        name: of its work dir; of a log that was taken out of it, of the file.
        curves: key -> (iterations, values), (N,) each.
        problems: lines that could not be read.
        costs: seconds of an iteration and of waiting for data, MB on the GPU, in the form of ``curves``.
    """

    name: str
    curves: dict[str, tuple[np.ndarray, np.ndarray]]
    problems: int = 0
    costs: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)


def read_run(path: str | Path) -> Run:
    """Read the log of a run.

    Args:
        path: work dir of ``tools/train.py``, or a ``scalars.json``.

    Raises:
        InputError: there is none, or nothing in it.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f'{path}: no such file or folder; give the work dir of a run, or its scalars.json')
    files = [path] if path.is_file() else sorted(path.glob(SCALARS))
    if not files:
        raise InputError(f'{path}: holds no */vis_data/scalars.json, the log of a run; has it trained long enough to log once?')
    points: dict[str, dict[int, float]] = {}
    problems = 0
    for line in read_bytes(files[-1], most=1 << 30).decode(errors='replace').splitlines():
        try:
            step, values = _logged(json.loads(line))
        except Exception:  # a line of a stranger can be anything
            problems += bool(line.strip())
            continue
        for key, value in values.items():
            points.setdefault(key, {})[step] = value
    if not points:
        raise InputError(f'{files[-1]}: holds no line of a log that can be read')
    curves = {key: (np.array(sorted(at)), np.array([at[step] for step in sorted(at)])) for key, at in points.items()}
    costs = {key: curves.pop(key) for key in COSTS if key in curves}
    return Run(_name(Path(os.path.abspath(path))), curves, problems, costs)


def _name(path: Path) -> str:
    if path.is_dir():
        return path.name
    return path.parent.parent.parent.name if path.match(SCALARS) else path.stem


def _logged(row: dict[str, Any]) -> tuple[np.int64, dict[str, float]]:
    """The iteration of a line of a log, and its numbers."""
    return np.int64(int(row['step'] if 'step' in row else row['iter'])), {
        key: float(value) for key, value in row.items()
        if key not in COUNTERS and isinstance(value, (int, float)) and not isinstance(value, bool)}


def is_rate(key: str) -> bool:
    """Whether a key is a learning rate: ``lr``, that of an optimizer, such as ``g.lr``, or ``base_lr`` of MMEngine's own logs."""
    return key.rpartition('.')[2] in ('lr', 'base_lr')


def choose_keys(runs: Sequence[Run], keys: Sequence[str] = ()) -> list[str]:
    """Keys to draw, in the order in which they are asked for: by default all but learning rates.

    Args:
        runs: what was logged.
        keys: names, or beginnings of names such as ``g/``.

    Raises:
        InputError: one that no run has.
    """
    known = list(dict.fromkeys(key for run in runs for key in run.curves))
    if not keys:
        return [key for key in known if not is_rate(key)]
    found = []
    for wish in keys:
        fitting = [key for key in known if key == wish] or [key for key in known if key.startswith(wish)]
        if not fitting:
            raise InputError(f'no run has logged {wish!r}.{did_you_mean(wish, known)} There is: {", ".join(known)}')
        found += [key for key in fitting if key not in found]
    return found


def smoothed(values: np.ndarray, weight: float) -> np.ndarray:
    """Exponential moving average without the pull towards the first value, as TensorBoard draws it; gaps (nan) stay.

    Args:
        values: (N,).
        weight: of what was before, in [0, 1).
    """
    out, total, share = np.full(len(values), np.nan), 0., 0.
    for i, value in enumerate(values):
        if np.isfinite(value):
            total, share = weight * total + (1 - weight) * value, weight * share + 1 - weight
            out[i] = total / share
    return out


def plot_runs(paths: Sequence[str | Path], out: str | Path, keys: Sequence[str] = (), smooth: float = 0., overwrite: bool = False,
              ) -> list[Run]:
    """Draw the curves of runs into one PNG: a panel for each key, a color for each run; beyond ten runs other lines, too.

    Args:
        paths: work dirs or logs.
        out: PNG to write.
        keys: see :func:`choose_keys`.
        smooth: weight of what was before, in [0, 1); the curve itself stays, pale.
        overwrite: replace a file that is there.

    Returns:
        What was read, in the order of ``paths``.

    Raises:
        InputError: nothing to draw, or a file that must not be written.
    """
    out = Path(out)
    if out.suffix.lower() != '.png':
        raise InputError(f'{out}: curves are written as .png')
    if not 0 <= smooth < 1:
        raise InputError(f'smooth must be at least 0 and below 1, got {smooth}')
    refuse_existing([check_output(out)], overwrite)
    runs = [read_run(path) for path in paths]
    refuse_inputs([out], [path for path in paths if Path(path).is_file()])
    names = [run.name if sum(other.name == run.name for other in runs) == 1 else str(path) for run, path in zip(runs, paths)]
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    shown = choose_keys(runs, keys)
    if not shown:
        raise InputError('there is nothing to draw but learning rates; name them by --keys')
    columns = min(COLUMNS, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(4 * columns, 2.8 * rows + .4), dpi=100, layout='constrained')
    FigureCanvasAgg(figure)
    for place, key in enumerate(shown):
        axes = figure.add_subplot(rows, columns, place + 1)
        axes.set_title(key, fontsize=10)
        axes.grid(alpha=.3)
        for number, run in enumerate(runs):
            if key in run.curves:
                steps, values = run.curves[key]
                style = dict(color=f'C{number % COLORS}', linestyle=LINES[number // COLORS % len(LINES)])
                mark = 'o' if len(values) < 30 else None
                axes.plot(steps, values, **style, alpha=.25 if smooth else 1., marker=mark, markersize=3,
                          label=None if smooth else names[number])
                if smooth:
                    axes.plot(steps, smoothed(values, smooth), **style, label=names[number])
    if len(runs) > 1:
        handles = {label: handle for axes in figure.axes for handle, label in zip(*axes.get_legend_handles_labels())}
        figure.legend(handles.values(), handles.keys(), loc='outside lower center', ncols=min(4, len(handles)), fontsize=9)
    with result_file(out, overwrite) as file:
        figure.savefig(file, format='png')
    return runs


def describe(run: Run, keys: Sequence[str]) -> list[str]:
    """Lines about a run: how long an iteration takes, and of each key the last, the least and the most.

    Args:
        run: of :func:`read_run`.
        keys: which.
    """
    last = max(int(steps[-1]) for steps, _ in run.curves.values())
    lines = [f'{run.name}: {last:,} iterations']
    if 'time' in run.costs:
        median = float(np.median(run.costs['time'][1]))
        lines[0] += f', {median:.3f} s each'
        if 'data_time' in run.costs and median:
            lines[0] += f', {np.median(run.costs["data_time"][1]) / median:.0%} of it waiting for data'
    if 'memory' in run.costs:
        lines[0] += f', {run.costs["memory"][1].max():,.0f} MB on the GPU'
    if run.problems:
        lines[0] += f' ({run.problems} lines of the log cannot be read)'
    for key in keys:
        if key in run.curves and np.isfinite(run.curves[key][1]).any():
            steps, values = run.curves[key]
            low, high = int(np.nanargmin(values)), int(np.nanargmax(values))
            lines.append(f'  {key:<28} last {values[-1]:.4g}, least {values[low]:.4g} at {steps[low]:,}, most {values[high]:.4g} at '
                         f'{steps[high]:,}')
    return lines
