"""Results of a benchmark as one table: means over clips, differences to the first row with results, costs; JSON, CSV and Markdown."""

import csv
import datetime
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from toolkit import __version__
from toolkit.benchmark.plan import Unit
from toolkit.benchmark.spec import Spec
from toolkit.doors import shortened
from toolkit.files import write_file, write_json
from toolkit.metrics.latent_report import PROBES, Probe
from toolkit.metrics.report import ARROWS
from toolkit.metrics.statistics import bootstrap_ci

COSTS = dict(
    iteration='iterations', seconds='s of training', parameters='M parameters', gmacs='GMACs a frame', ms='ms a frame',
    memory='MiB to train', cost_memory='MiB to generate', total_seconds='s in all')
SCALES = dict(parameters=1e-6, memory=2**-20, cost_memory=2**-20)


def differences(values: Mapping[str, float], others: Mapping[str, float]) -> tuple[float, tuple[float, float] | None, int] | None:
    """Paired difference of two rows on the clips that both have.

    Args:
        values: clip -> value.
        others: of the row that it is compared with.

    Returns:
        Mean of ``values - others``, its bootstrap interval over clips (None for one clip), and the number of clips; None without one.
    """
    pairs = [values[clip] - others[clip] for clip in values if clip in others]
    return (float(np.mean(pairs)), bootstrap_ci(pairs), len(pairs)) if pairs else None


class Table:
    """What the units of a benchmark found.

    Args:
        spec: of the benchmark.
        units: of it.
        results: of those that are done, by name.
        asked: those of them that were to be done now; default all.

    Attributes:
        labels: names of the rows, each with its budget; only those with a unit.
        rows: label -> name of its row in the spec.
        values: label -> column -> clip -> seed -> value. A column is a metric. Numbers of the same metric by another definition, such
            as that of another pose estimator, do not compare: they have a column of their own, whose name says what differs.
        about: column -> its metric, its definition, what is better, and reasons for numbers that are missing.
        costs: label -> name of :data:`COSTS` -> mean over units.
        errors: what failed, and what does not compare.
        failed: whether something of what was asked for failed, or something does not compare.
    """

    def __init__(self, spec: Spec, units: Sequence[Unit], results: Mapping[str, Mapping], asked: Sequence[Unit] | None = None) -> None:
        self.spec, self.units, self.results = spec, list(units), results
        self.labels: list[str] = []
        self.rows: dict[str, str] = {}
        self.reference: dict[str, str] = {}
        self._order()
        self.values: dict[str, dict[str, dict[str, dict[int, float]]]] = {label: {} for label in self.labels}
        self.about: dict[str, dict[str, Any]] = {}
        self.costs: dict[str, dict[str, float]] = {}
        found: dict[tuple[str, str], list[float]] = {}
        for unit in self.units:
            result = results.get(unit.name, {})
            for point in result.get('points', ()):
                self._add(unit, point)
                cost = dict(point['cost'], cost_memory=point['cost']['memory'], total_seconds=result['total_seconds'])
                for key, value in {**cost, **{k: point[k] for k in ('iteration', 'seconds', 'memory') if k in point}}.items():
                    if key in COSTS and not (key == 'memory' and 'memory' not in point):
                        found.setdefault((point['label'], key), []).append(value)
        for (label, key), numbers in found.items():
            self.costs.setdefault(label, {})[key] = float(np.mean(numbers)) * SCALES.get(key, 1)
        self._tell(self.units if asked is None else asked)

    def _tell(self, asked: Sequence[Unit]) -> None:
        """Errors, and what is wrong with the names of metrics where each row has been measured on all of its clips."""
        failed = {unit.name: f'{unit.row} on {unit.clip}, seed {unit.seed}: {self.results[unit.name]["error"]}'
                  for unit in self.units if self.results.get(unit.name, {}).get('error')}
        others = [*self._tested_otherwise(), *self._trained_otherwise(), *self._trained_on_tested()]
        places = [{(unit.row, unit.clip) for unit in units} for units in (asked, self.units)]
        if places[0] == places[1] and all(unit.name in self.results for unit in asked) and not failed and not others:
            others = [f'{key}: no metric was measured that {pattern!r} names. There are: {", ".join(self.about)}'
                      for key in ('columns', 'plot') for pattern in self._own(key) if not self.matching([pattern])]
        self.errors = [*failed.values(), *others]
        self.failed = bool(others) or any(unit.name in failed for unit in asked)

    def _order(self) -> None:
        """Labels in the order of the spec, and which each is compared with: that of the first row with results at the same budget, else
        its last point."""
        by_row: dict[str, dict[str, str]] = {}
        there = {label for unit in self.units for label in unit.labels}
        for row in self.spec.rows:
            by_row[row.name] = {key: label for key, label in row.labels() if label in there}
            self.labels += list(by_row[row.name].values())
            self.rows |= dict.fromkeys(by_row[row.name].values(), row.name)
        done = {unit.row for unit in self.units if self.results.get(unit.name, {}).get('points')}
        first = by_row[next((row for row in self.spec.rows if row.name in done), self.spec.rows[0]).name]
        for points in by_row.values():
            for key, label in points.items():
                self.reference[label] = first.get(key, next(reversed(first.values()), label))

    def _tested_otherwise(self) -> list[str]:
        """Rows that were tested on other frames, or on frames of another size, than another row: their numbers do not compare."""
        first, found = {}, {}
        for unit in self.units:
            for clip, tested in next(iter(self.results.get(unit.name, {}).get('points', ())), {}).get('tested', {}).items():
                row, known = first.setdefault((unit.clip, clip), (unit.row, tested))
                if tested != known:
                    texts = ['{} frames of {}x{}'.format(*one) for one in (tested, known)]
                    found[unit.row, unit.clip] = (f'{unit.row} on {unit.clip}: tested on {texts[0]}, but {row} on {texts[1]}: their '
                                                  f'numbers do not compare')
        return list(found.values())

    def _trained_otherwise(self) -> list[str]:
        """Runs in which a loss looked through another network than in the first run of the row: they are not of one method."""
        first, found = {}, {}
        for unit in self.units:
            run = f'{unit.row} on {unit.clip}, seed {unit.seed}'
            for loss, network in next(iter(self.results.get(unit.name, {}).get('points', ())), {}).get('loss_networks', {}).items():
                other, known = first.setdefault((unit.row, loss), (run, network))
                if network != known:
                    found[run] = (f'{run}: trained with {loss} by {network}, but {other} by {known}: other weights were found there. '
                                  f'Give all machines the same, and do the row anew under another --out')
        return list(found.values())

    def _trained_on_tested(self) -> list[str]:
        """Rows whose weights were trained on frames that are tested."""
        found = {}
        for unit in self.units:
            for point in self.results.get(unit.name, {}).get('points', ()):
                if seen := point.get('trained_on'):
                    clips = shortened(', '.join(f'{count} frames of {folder}' for folder, count in seen.items()))
                    found[unit.row, unit.clip] = (
                        f'{unit.row} on {unit.clip}: its weights, or those that it starts from, were trained on frames that are tested '
                        f'({clips}): the numbers do not tell how it paints what it never saw. Hold these frames out of that training')
        return list(found.values())

    def _add(self, unit: Unit, point: Mapping) -> None:
        entries = {key: dict(entry['per_clip'], _=entry) for key, entry in point['metrics'].items()}
        for key, value in (point.get('colors') or {}).items():
            probe = PROBES.get(key.partition('/')[0], Probe('a probe of another version'))
            entries[f'colors/{key}'] = {unit.clip: value, '_': dict(better=probe.better, definition=probe.text, reason='')}
        for key, clips in entries.items():
            entry = clips.pop('_')
            values = {clip: value for clip, value in clips.items() if value is not None}
            if not values and isinstance(entry.get('value'), float):  # a number of all clips together, such as FID
                values = {unit.clip: entry['value']}
            column = self._column(key, entry, bool(values))
            if entry['reason'] and entry['reason'] not in self.about[column]['reasons']:
                self.about[column]['reasons'].append(entry['reason'])
            for clip, value in values.items():
                name = unit.clip if clip in (unit.clip, '') else f'{unit.clip}/{clip}'
                self.values[point['label']].setdefault(column, {}).setdefault(name, {})[unit.seed] = value

    def _column(self, key: str, entry: Mapping, measured: bool) -> str:
        """The column of an entry: the metric's, unless that has numbers by another definition."""
        about = self.about.setdefault(key, dict(metric=key, better=entry['better'], definition=entry['definition'], reasons=[]))
        column, empty = key, not any(key in values for values in self.values.values())
        if measured and empty:
            about['definition'] = entry['definition']
        elif measured and entry['definition'] != about['definition']:
            column = f'{key}: {_what_differs(entry["definition"], about["definition"])}'
            self.about.setdefault(column, dict(about, definition=entry['definition'], reasons=[]))
        return column

    def _own(self, key: str) -> Sequence[str]:
        """Names that the spec itself gives."""
        given = getattr(self.spec, key)
        return () if given == Spec.__dataclass_fields__[key].default else given

    def of_clips(self, label: str, key: str) -> dict[str, float]:
        """Clip -> mean over seeds."""
        return {clip: float(np.mean(list(seeds.values()))) for clip, seeds in self.values[label].get(key, {}).items()}

    def of_seeds(self, label: str, key: str) -> dict[int, float]:
        """Seed -> mean over the clips that all seeds have, or else they would differ by their clips; empty where there are none."""
        clips = self.values[label].get(key, {})
        seeds = sorted({seed for values in clips.values() for seed in values})
        shared = [values for values in clips.values() if len(values) == len(seeds)]
        return {seed: float(np.mean([values[seed] for values in shared])) for seed in seeds} if shared else {}

    def entry(self, label: str, key: str) -> dict[str, Any] | None:
        """A number of the table: mean over clips of the mean over seeds, with its interval; its difference to the reference; seeds."""
        clips = self.of_clips(label, key)
        if not clips:
            return None
        seeds, other = self.of_seeds(label, key), self.reference[label]
        found = dict(value=float(np.mean(list(clips.values()))), ci=bootstrap_ci(list(clips.values())), clips=len(clips), seeds=seeds,
                     seeds_deviation=float(np.std(list(seeds.values()), ddof=1)) if len(seeds) > 1 else None, per_clip=clips)
        if other != label and (difference := differences(*self._pairs(label, other, key))):
            found |= dict(difference=difference[0], difference_ci=difference[1], difference_clips=difference[2], reference=other)
        return found

    def _pairs(self, label: str, other: str, key: str) -> tuple[dict[str, float], dict[str, float]]:
        """Of two rows, clip -> mean over the seeds that both have there; a row without training is the same for every seed."""
        once, pairs = any(row.untrained and row.name in (label, other) for row in self.spec.rows), ({}, {})
        for clip, seeds in self.values[label].get(key, {}).items():
            against = self.values[other].get(key, {}).get(clip, {})
            shared = seeds.keys() & against.keys()
            for values, found in zip((seeds, against), pairs) if shared or once and against else ():
                found[clip] = float(np.mean([value for seed, value in values.items() if once or seed in shared]))
        return pairs

    def columns(self) -> list[str]:
        """Columns of the table for people."""
        return self.matching(self.spec.columns)

    def matching(self, patterns: Sequence[str]) -> list[str]:
        """Columns of the metrics that patterns name, in their order."""
        return list(dict.fromkeys(
            key for pattern in patterns for key, about in self.about.items() if fnmatch(about['metric'], pattern)))

    def as_json(self) -> dict[str, Any]:
        """Everything, as plain values."""
        hosts = sorted({f'{r["host"]}: {r["device"]}' for r in self.results.values() if 'host' in r})
        rows = [dict(name=label, costs=self.costs.get(label, {}), metrics={key: self.entry(label, key) for key in self.about})
                for label in self.labels]
        return dict(
            about=dict(spec=str(self.spec.path), toolkit=__version__, machines=hosts, clock=self.spec.clock,
                       date=datetime.datetime.now().astimezone().isoformat(timespec='seconds'), units=len(self.units),
                       done=len(self.results) - self._count_failed(), failed=self._count_failed()),
            definitions=self.about, rows=rows, errors=self.errors, budgets=[asdict(budget) for budget in self.spec.budgets])

    def as_csv(self) -> str:
        """A line for each row, with interval, difference and its interval of every metric."""
        parts = ('', ' low', ' high', ' difference', ' difference low', ' difference high')
        out = io.StringIO()
        writer = csv.writer(out, lineterminator='\n')
        writer.writerow(['row', 'reference', *COSTS.values(), *(key + part for key in self.about for part in parts)])
        for label in self.labels:
            line = [label, self.reference[label], *(self.costs.get(label, {}).get(key, '') for key in COSTS)]
            for key in self.about:
                entry = self.entry(label, key) or {}
                line += [entry.get('value', ''), *(entry.get('ci') or ('', '')), entry.get('difference', ''),
                         *(entry.get('difference_ci') or ('', ''))]
            writer.writerow(line)
        return out.getvalue()

    def as_markdown(self) -> str:
        """Tables for people: values, differences, each clip, seeds, costs, then what failed and what the numbers mean. Bold is the best
        of the rows with the same clips, as many as any has; means over other clips do not compare, and those over fewer say so."""
        columns = self.columns()
        heads = [f'{key} {ARROWS[self.about[key]["better"]]}'.strip() for key in columns]
        lines = [f'# {self.spec.path.stem}', '', self._said(), '', '## Means over clips', '',
                 *_table(['', 'clips', *heads], [[label, self._clips(label), *self._best(label, columns)] for label in self.labels])]
        lines += ['', '## Paired differences', '', 'Over the seeds that both rows have.', '', *_table(['', 'to', *heads], [
            [label, self.reference[label], *(_difference(self.entry(label, key)) for key in columns)]
            for label in self.labels if self.reference[label] != label])]
        for key in columns[:6]:
            clips = list(dict.fromkeys(clip for label in self.labels for clip in self.of_clips(label, key)))
            if 1 < len(clips) <= 12:
                lines += ['', f'## {key}, each clip', '', *_table(['', *clips], [
                    [label, *(_number(self.of_clips(label, key).get(clip)) for clip in clips)] for label in self.labels])]
        seeded = [label for label in self.labels if any(len(self.of_seeds(label, key)) > 1 for key in columns)]
        if seeded:
            lines += ['', '## Seeds, each a mean over the clips that all have', '', *_table(['', *heads], [
                [label, *(', '.join(map(_number, self.of_seeds(label, key).values())) or 'n/a' for key in columns)]
                for label in seeded])]
        lines += ['', '## Costs', '', *_table(['', *COSTS.values()], [
            [label, *(_number(self.costs.get(label, {}).get(key)) for key in COSTS)] for label in self.labels])]
        if self.errors:
            lines += ['', '## Failed', '', *(f'- {error}' for error in self.errors)]
        lines += ['', '## What the numbers mean', '', *(f'- `{key}`: {self.about[key]["definition"]}' for key in columns)]
        reasons = {reason: key for key in self.about for reason in self.about[key]['reasons']}
        return '\n'.join([*lines, *(f'- n/a of {key}: {reason}' for reason, key in reasons.items()), ''])

    def _said(self) -> str:
        hosts = sorted({r['device'] for r in self.results.values() if 'device' in r})
        failed = self._count_failed()
        done = len(self.results) - failed
        return (f'{done} of {len(self.units)} units are done{f" and {failed} failed" if failed else ""}'
                f'{", so this is not all" if done < len(self.units) else ""}; '
                f'{", ".join(hosts)}. Intervals: 95 % bootstrap over clips, of the mean over seeds.')

    def _count_failed(self) -> int:
        return sum(bool(result.get('error')) for result in self.results.values())

    def _clips(self, label: str) -> str:
        return str(max((len(clips) for clips in self.values[label].values()), default=0))

    def _best(self, label: str, columns: Sequence[str]) -> list[str]:
        cells, failed = [], {unit.row for unit in self.units if self.results.get(unit.name, {}).get('error')}
        for key in columns:
            entry, better = self.entry(label, key), self.about[key]['better']
            if entry is None:
                cells.append('n/a' if label in self.costs else 'failed' if self.rows[label] in failed else 'not run')
                continue
            score = dict(higher=lambda v: v, lower=lambda v: -v, one=lambda v: -abs(v - 1)).get(better)
            entries = [other for name in self.labels if (other := self.entry(name, key))]
            most = max(other['clips'] for other in entries)
            values = [other['value'] for other in entries if other['per_clip'].keys() == entry['per_clip'].keys()]
            best = score and entry['clips'] == most and len(values) > 1 and score(entry['value']) == max(map(score, values))
            text = f'**{_number(entry["value"])}**' if best else _number(entry['value'])
            text += f' [{_number(entry["ci"][0])}, {_number(entry["ci"][1])}]' if entry['ci'] else ''
            cells.append(text + _fewer(entry['clips'], min(most, int(self._clips(label)))))
        return cells

    def write(self, out: Path) -> None:
        """Write table.json, table.csv and table.md."""
        write_json(out / 'table.json', self.as_json())
        write_file(out / 'table.csv', self.as_csv().encode())
        write_file(out / 'table.md', self.as_markdown().encode())


def _what_differs(text: str, other: str) -> str:
    """The words of a text between those that it begins and ends with as another one does."""
    words, others = text.split(), other.split()
    start = next((i for i, (a, b) in enumerate(zip(words, others)) if a != b), min(len(words), len(others)))
    words, others = words[start:], others[start:]
    end = next((i for i, (a, b) in enumerate(zip(words[::-1], others[::-1])) if a != b), min(len(words), len(others)))
    return ' '.join(words[:len(words) - end]) or text


def _number(value: float | None) -> str:
    if value is None:
        return 'n/a'
    if value and abs(value) < 0.1:
        return f'{value:.4f}'
    return f'{value:.3f}' if abs(value) < 10 else f'{value:.1f}' if abs(value) < 1000 else f'{value:,.0f}'


def _difference(entry: Mapping | None) -> str:
    if entry is None or 'difference' not in entry:
        return 'n/a'
    low, high = entry['difference_ci'] or (None, None)
    interval = '' if low is None else f' [{low:+.4f}, {high:+.4f}]'
    return f'{entry["difference"]:+.4f}{interval}{_fewer(entry["difference_clips"], entry["clips"])}'


def _fewer(clips: int, most: int) -> str:
    """Says it where a number is of fewer clips than stand beside it."""
    return f' of {clips} clip{"s" if clips > 1 else ""}' if clips < most else ''


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [head, ['---'] * len(head), *rows]
    return ['| ' + ' | '.join(str(cell).replace('|', '/').replace('\n', ' ') for cell in line) + ' |' for line in lines]
