"""Results as a table for people and as JSON for programs."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict

from toolkit.metrics.base import Summary

ARROWS = {'higher': '↑', 'lower': '↓', 'one': '→1', '': ''}
NARROWEST_DEFINITION = 72


def format_value(summary: Summary) -> str:
    """``value [low, high]``, ``value`` for a single clip, or ``n/a``."""
    if summary.value is None:
        return 'n/a'
    interval = '' if summary.ci is None else ' [{:.4g}, {:.4g}]'.format(*summary.ci)
    return f'{summary.value:.4g}{interval}'


def format_count(summary: Summary) -> str:
    """Sample count, for example ``6 clips, 594 frames`` or ``6 clips, 594 frames, 7128 joints``."""
    if summary.value is None:
        return '-'
    extra = f', {summary.n_samples} {summary.unit}' if summary.unit != 'frames' else ''
    return f'{summary.n_clips} clip{"s" if summary.n_clips != 1 else ""}, {summary.n_frames} frames{extra}'


def format_counts(summaries: Sequence[Summary]) -> str:
    """Sample count of several models: once where it is the same for all that have the number, else that of each."""
    counts = list(map(format_count, summaries))
    distinct = sorted(set(counts) - {'-'}) or ['-']
    return distinct[0] if len(distinct) == 1 else ' / '.join(counts)


def table(results: Mapping[str, Mapping[str, Summary]], width: int = 160, brief: bool = False) -> str:
    """Aligned table: metric, value with 95 % interval per model, sample count, definition; then why numbers are missing.

    Where a line is too short for definitions beside the numbers, they stand below the table.

    Args:
        results: model name -> key -> summary; all models have the same keys.
        width: characters in a line; definitions are wrapped to what is left of it.
        brief: the numbers alone, for a part of what another table explains.

    Returns:
        Lines of text.
    """
    first = next(iter(results.values()))
    rows = [['metric', *results, 'n']]
    rows += [[f'{key} {ARROWS[s.better]}'.rstrip(), *(format_value(r[key]) for r in results.values()),
              format_counts([r[key] for r in results.values()])] for key, s in first.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ['  '.join(cell.ljust(w) for cell, w in zip(row, widths)) for row in rows]
    if brief:
        return '\n'.join(line.rstrip() for line in [lines[0], '-' * max(map(len, lines)), *lines[1:]])
    left = width - len(lines[0]) - 2
    if left >= NARROWEST_DEFINITION:
        lines = _beside(lines, ['definition', *(s.definition for s in first.values())], left)
    lines.insert(1, '-' * max(len(line) for line in lines))
    if left < NARROWEST_DEFINITION:
        lines += ['', 'Definitions:', *(f'{key.ljust(max(map(len, first)))}  {s.definition}' for key, s in first.items()), '']
    lines.append('Intervals: 95 % bootstrap over clips. Values: mean per clip, then over clips. No content frame is scored.')
    return '\n'.join([line.rstrip() for line in lines] + _reasons(results))


def _beside(lines: list[str], texts: list[str], width: int) -> list[str]:
    out = []
    for line, text in zip(lines, texts):
        first, *others = textwrap.wrap(text, width)
        out += [f'{line}  {first}', *(' ' * (len(line) + 2) + other for other in others)]
    return out


def _reasons(results: Mapping[str, Mapping[str, Summary]]) -> list[str]:
    missing: dict[str, list[str]] = {}
    for summaries in results.values():
        for key, summary in summaries.items():
            if summary.reason:
                label = key if summary.value is not None else f'{key} n/a'
                keys = missing.setdefault(summary.reason, [])
                if label not in keys:
                    keys.append(label)
    return [f'{", ".join(keys)}: {reason}' for reason, keys in missing.items()]


def to_json(summaries: Mapping[str, Summary]) -> dict[str, dict]:
    """Summaries as plain values; ``value`` is the text ``n/a``, with a ``reason``, where there is none."""
    return {key: {**asdict(s), 'value': 'n/a' if s.value is None else s.value} for key, s in summaries.items()}
