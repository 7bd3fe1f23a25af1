"""Small inline SVG charts along the frames of a clip, for the report."""

from collections.abc import Sequence
from html import escape

import numpy as np

WIDTH, LEFT, ROW = 1000, 110, 10
COLORS = {'seen': '#3a9d5d', 'filled': '#e9a23b', 'missing': '#d9d9de'}


def _svg(height: float, body: list[str]) -> str:
    return (f'<svg viewBox="0 0 {WIDTH} {height:g}" width="100%" font-family="sans-serif" font-size="9" role="img">'
            f'{"".join(body)}</svg>')


def _text(x: float, y: float, text: str, anchor: str = 'end') -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="currentColor">{escape(text)}</text>'


def _axis(total: int, y: float) -> list[str]:
    scale = (WIDTH - LEFT) / max(total, 1)
    step = next(s for s in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10**9) if total / s <= 20)
    return [_text(LEFT + t * scale, y, str(t), 'start') for t in range(0, total, step)]


def coverage_chart(raw: np.ndarray, clean: np.ndarray, names: Sequence[str]) -> str:
    """One row a joint, one column a frame: seen, filled in by cleaning, or missing.

    Args:
        raw, clean: (T, K) bool, joint seen as estimated and after cleaning.
        names: of the K joints.
    """
    total, body = len(raw), []
    scale = (WIDTH - LEFT) / max(total, 1)
    for k, name in enumerate(names):
        y = k * ROW
        body.append(_text(LEFT - 5, y + 8.5, f'{name.replace("_", " ")}  {raw[:, k].mean():.0%}'))
        state = np.where(raw[:, k], 0, np.where(clean[:, k], 1, 2))
        limits = [0, *(np.flatnonzero(np.diff(state)) + 1).tolist(), total]
        for a, b in zip(limits[:-1], limits[1:]):
            color = list(COLORS.values())[state[a]]
            box = f'x="{LEFT + a * scale:.1f}" y="{y + 1}" width="{(b - a) * scale:.1f}" height="{ROW - 2}"'
            body.append(f'<rect {box} fill="{color}"/>')
    return _svg(len(names) * ROW + 14, body + _axis(total, len(names) * ROW + 10))


def line_chart(lines: dict[str, np.ndarray], unit: str, marks: dict[str, Sequence[int]] | None = None, height: int = 90,
               limit: float | None = None) -> str:
    """Values of every frame as lines; NaN breaks a line. Long clips are drawn by the largest value of each stretch.

    Args:
        lines: legend -> (T,) values from 0 up.
        unit: of the values.
        marks: legend -> frames to mark by a vertical line.
        height: of the chart in pixels.
        limit: a value to draw as a dashed horizontal line.
    """
    colors = ('#7a9cc6', '#1f4e8c', '#b0567d')
    total = len(next(iter(lines.values())))
    known = np.concatenate([v[np.isfinite(v)] for v in lines.values()])
    top = max(float(np.percentile(known, 99.5)) if len(known) else 0, limit or 0, 1e-6) * 1.1
    scale = (WIDTH - LEFT) / max(total, 1)
    body = [f'<rect x="{LEFT}" y="0" width="{WIDTH - LEFT}" height="{height}" fill="none" stroke="#bbb" stroke-width=".5"/>',
            _text(LEFT - 5, 9, f'{top:.3g} {unit}'), _text(LEFT - 5, height, '0')]
    for label, frames in (marks or {}).items():
        for t in frames[:200]:
            x = LEFT + (t + .5) * scale
            body.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}" stroke="#d33">'
                        f'<title>{escape(label)}, frame {t}</title></line>')
    if limit:
        y = height * (1 - limit / top)
        body.append(f'<line x1="{LEFT}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d33" stroke-dasharray="4 3"/>')
    for i, (label, values) in enumerate(lines.items()):
        body.append(f'<path d="{_path(np.asarray(values, float), scale, height, top)}" fill="none" stroke="{colors[i % 3]}"/>')
        body.append(f'<rect x="4" y="{20 + 13 * i}" width="9" height="9" fill="{colors[i % 3]}"/>')
        body.append(_text(17, 28 + 13 * i, label, 'start'))
    return _svg(height + 14, body + _axis(total, height + 10))


def _path(values: np.ndarray, scale: float, height: float, top: float) -> str:
    step = -(-len(values) // 1000)
    padded = np.concatenate([values, np.full(-len(values) % step, np.nan)]).reshape(-1, step)
    highest = np.where(np.isfinite(padded).any(1), np.where(np.isfinite(padded), padded, -np.inf).max(1), np.nan)
    commands, drawing = [], False
    for i, value in enumerate(highest):
        if np.isnan(value):
            drawing = False
            continue
        x, y = LEFT + (i * step + step / 2) * scale, height * (1 - min(value / top, 1))
        commands.append(f'{"L" if drawing else "M"}{x:.1f} {y:.1f}')
        drawing = True
    return ''.join(commands)
