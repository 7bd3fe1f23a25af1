"""Pictures of a benchmark: the same frames of all methods on a sheet of each clip, and curves over the time of training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from toolkit.benchmark.plan import Unit
from toolkit.benchmark.tables import Table
from toolkit.benchmark.work import folder_of
from toolkit.files import result_file, write_file
from toolkit.outputs import plain_names
from toolkit.sheets import contact_sheet

DEEPEST = 7
"""Most rows of a sheet below each other; more stand beside them."""


def write_sheets(out: Path, units: Sequence[Unit], results: Mapping[str, Mapping], labels: Sequence[str], most: int = 12) -> list[Path]:
    """Write ``sheet_<clip>.png`` for each of the first clips by name: first the real frames, then those of each row of the
    table, of its first seed.

    Args:
        out: of the benchmark.
        units: of it.
        results: of those that are done, by name.
        labels: rows, in order.
        most: sheets.

    Returns:
        The files.
    """
    pictures: dict[str, dict[str, np.ndarray]] = {}
    for unit in sorted(units, key=lambda unit: -unit.seed):
        for number, point in enumerate(results.get(unit.name, {}).get('points', ())):
            file = folder_of(out, unit) / 'frames' / f'{number}.npz'
            if not file.exists():
                continue
            with np.load(file) as frames:
                for key in frames.files:
                    kind, _, clip = key.partition('/')
                    clip = unit.clip if clip == unit.clip else f'{unit.clip}/{clip}'
                    pictures.setdefault(clip, {})['real' if kind == 'real' else point['label']] = frames[key]
    files = []
    for clip, name in plain_names(sorted(pictures)[:most]).items():
        rows = [_titled(label, pictures[clip][label]) for label in ('real', *labels) if label in pictures[clip]]
        width = max(row.shape[1] for row in rows)
        rows = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
        deep = -(-len(rows) // -(-len(rows) // DEEPEST))
        sheet = contact_sheet([rows[i::deep] for i in range(deep)], gap=8)
        files.append(out / f'sheet_{name}.png')
        write_file(files[-1], cv2.imencode('.png', sheet[..., ::-1])[1].tobytes())
    return files


def _titled(title: str, frames: np.ndarray) -> np.ndarray:
    """Frames (N, H, W, 3) side by side, under their whole title: (H + 22, ..., 3) uint8."""
    font, scale = cv2.FONT_HERSHEY_SIMPLEX, 0.5
    strip = np.concatenate([np.pad(frame, ((22, 0), (0, 2), (0, 0)), constant_values=255) for frame in frames], 1)
    missing = max(cv2.getTextSize(title, font, scale, 1)[0][0] + 4 - strip.shape[1], 0)  # a few small frames are narrower than a title
    strip = np.pad(strip, ((0, 0), (0, missing), (0, 0)), constant_values=255)
    return cv2.putText(np.ascontiguousarray(strip), title, (2, 16), font, scale, (0, 0, 0), 1, cv2.LINE_AA)


def write_plot(out: Path, table: Table) -> Path | None:
    """Draw the metrics of ``spec.plot`` over the seconds of training, a curve a row, to ``plot.png`` and ``plot.svg``.

    Args:
        out: of the benchmark.
        table: of it.

    Returns:
        The picture; None where there is nothing to draw.
    """
    keys = table.matching(table.spec.plot)
    if not keys:
        return None
    import matplotlib
    matplotlib.use('agg')
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, len(keys), figsize=(5.2 * len(keys), 4), squeeze=False)
    for axis, key in zip(axes[0], keys):
        for row in table.spec.rows:
            points = [(table.costs.get(label, {}).get('seconds'), table.entry(label, key)) for label in table.labels
                      if table.rows[label] == row.name]
            points = [(seconds, entry) for seconds, entry in points if entry]
            timed = sorted(((s, e) for s, e in points if s is not None), key=lambda point: point[0])
            if timed:
                values = [entry['value'] for _, entry in timed]
                axis.plot([max(seconds, 1) for seconds, _ in timed], values, marker='o', markersize=3, label=row.name)
            for entry in [entry for seconds, entry in points if seconds is None][:1]:
                axis.axhline(entry['value'], linestyle=':', color='gray', linewidth=1)
                axis.annotate(row.name, (0.99, entry['value']), xycoords=('axes fraction', 'data'), fontsize=7, ha='right', va='bottom')
        axis.set_xscale('log')
        shown = [point for line in axis.lines for point in line.get_ydata()]
        if shown and min(shown) > 0 and max(shown) > 5 * min(shown):
            axis.set_yscale('log')
        axis.set_xlabel('seconds of training' + (' (processor time)' if table.spec.clock == 'cpu' else ''))
        axis.set_title(f'{key} ({dict(higher="higher is better", lower="lower is better").get(table.about[key]["better"], "")})')
        axis.grid(alpha=0.3)
    handles, names = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc='lower center', ncols=3, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, .01 + .05 * ((len(names) + 2) // 3), 1, 1))
    for suffix in ('png', 'svg'):
        with result_file(out / f'plot.{suffix}') as file:
            figure.savefig(file, format=suffix, dpi=130)
    pyplot.close(figure)
    return out / 'plot.png'
