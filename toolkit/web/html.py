"""Pieces of the page as HTML: the job, what was found, the comparison, the gallery. Every text of a user is escaped."""

import json
import time
from contextlib import suppress
from html import escape
from pathlib import Path
from urllib.parse import quote

from toolkit.web.advice import for_page
from toolkit.web.jobs import DONE, FAILED, RUNNING, STOPPED, Job
from toolkit.web.sessions import RUN

CURVES = {'lpips/full': 'LPIPS of the held-out quarter (less is better)', 'ssim/full': 'SSIM of the held-out quarter (more is better)',
          'g/l1': 'L1 of the generator (less is better)', 'g/gan': 'adversarial loss of the generator'}
"""Beginning of the name of what is logged -> what it is called."""
WIDTH, HEIGHT, EDGE, TOP = 420, 140, 54, 24


def address(*parts: str) -> str:
    """Where a file of the visitor is given out, such as ``address('results', name, 'result.mp4')``."""
    return '/hvt/files/' + '/'.join(quote(part) for part in parts)


def note(text: str, kind: str = '') -> str:
    """A line of text."""
    return f'<p class="hvt-note {kind}">{escape(text)}</p>'


def job_panel(job: Job | None, place: int, curve: str = '') -> str:
    """How far the visitor's job is.

    Args:
        job: the latest one.
        place: how many jobs are before it.
        curve: of a training.
    """
    if job is None:
        return note('Nothing is being made. Choose a person and a movement below, then press Generate.')
    said = ''.join(f'<li>{escape(line)}</li>' for line in job.lines)
    said = f'<ul class="hvt-said">{said}</ul>' if said else ''
    if job.state == RUNNING:
        share = job.done / max(job.total, 1)
        spent = time.monotonic() - job.started
        stage = f'{job.stage}: {job.done} of {job.total}' if job.total > 1 else job.stage or 'starting'
        head = (f'<b>{escape(job.title)}</b> <span>{escape("stopping" if job.stopping else stage)}, {spent:.0f} s</span>'
                f'<div class="hvt-bar" role="progressbar" aria-label="{escape(job.title)}" aria-valuenow="{100 * share:.0f}">'
                f'<div style="width:{100 * share:.1f}%"></div></div>')
    elif job.alive:
        before = f'{place} {"job is" if place == 1 else "jobs are"} before it' if place else 'it is next'
        head = f'<b>{escape(job.title)}</b> <span>waiting: {before}</span>'
    else:
        word = {DONE: 'done', FAILED: 'failed', STOPPED: 'stopped'}[job.state]
        spent = f' after {job.ended - job.started:.0f} s' if job.started else ''
        head = f'<b>{escape(job.title)}</b> <span class="hvt-{word}">{word}{spent}</span>'
    error = f'<p class="hvt-error" role="alert">{escape(job.error)}</p>' if job.error else ''
    return f'<div data-state="{job.state}">{head}{error}{said}{curve}</div>'


def found(room: str, name: str, clip) -> str:
    """What was found in a clip: a video and a sheet, and the warnings of the report.

    Args:
        room: ``clips`` or ``examples``.
        name: of its folder there.
        clip: the clip.
    """
    if not (clip.folder.parent / 'found.png').is_file():  # the last that is drawn
        return note('Drawing what was found ...')
    report = clip.manifest.get('report') or {}
    warnings = ''.join(f'<li>{escape(for_page(w))}</li>' for w in report.get('warnings', []))
    page = f' <a href="{address(room, name, "report.html")}" target="_blank">the whole report</a>' if report else ''
    return (f'<video class="hvt-found" src="{address(room, name, "found.mp4")}" autoplay muted loop playsinline controls></video>'
            f'<p class="hvt-note">{len(clip)} frames of {clip.width} x {clip.height}, {len(clip) / clip.fps:.1f} s; frame, pose and '
            f'mask.{page}</p>' + (f'<ul class="hvt-said hvt-warning">{warnings}</ul>' if warnings else '') +
            f'<details><summary>pose, parts, edges and mask</summary><img alt="frames with pose, parts, edges and mask" '
            f'src="{address(room, name, "found.png")}"></details>')


def compare(left: tuple[str, str], right: tuple[str, str], beside: bool = False) -> str:
    """Two videos over each other, with a slider between them; they play together.

    Args:
        left, right: (address, label).
        beside: show them beside each other at first; a button lays them over each other.
    """
    videos = ''.join(f'<video class="hvt-{side}" src="{src}" muted loop playsinline preload="auto"></video>'
                     for side, (src, _) in (('under', right), ('over', left)))
    return (f'<div class="hvt-compare{" hvt-beside" if beside else ""}" style="--cut:50%">'
            f'<div class="hvt-view"><div class="hvt-stage">{videos}<div class="hvt-line"></div>'
            f'<span class="hvt-tag left">{escape(left[1])}</span><span class="hvt-tag right">{escape(right[1])}</span></div>'
            '<input class="hvt-cut" type="range" min="0" max="100" value="50" aria-label="slide between the two videos"></div>'
            '<button class="hvt-play" type="button">play / pause</button> '
            '<button class="hvt-lay" type="button">beside / over each other</button></div>')


def download(result: dict) -> str:
    """A link to the file of a result."""
    name = result['folder'].name
    return (f'<a class="hvt-download" href="{address("results", name, "result.mp4")}" download="{escape(name)}.mp4">'
            'download</a>')


def gallery(results: dict[str, dict]) -> str:
    """All results as cards."""
    if not results:
        return note('Nothing was made yet.')
    cards = []
    for name, about in results.items():
        facts = ', '.join(escape(str(about[key])) for key in ('person', 'movement', 'clothes', 'model') if about.get(key))
        source = address('results', name, 'result.mp4')
        cards.append(f'<figure><video src="{source}" controls muted loop playsinline preload="metadata"></video>'
                     f'<figcaption><b>{escape(name)}</b><br>{facts}<br>{download(about)}</figcaption></figure>')
    return f'<div class="hvt-gallery">{"".join(cards)}</div>'


def before_after(model: dict) -> str:
    """Sheets and videos that show a fine-tuned generator before and after, and a link to its checkpoint."""
    folder, name = model['folder'], model['folder'].name
    sheets = sorted((folder / RUN / 'vis').glob('*.png'))
    parts = []
    if sheets:
        parts.append(f'<img alt="real, pose, before and after" src="{address("models", name, RUN, "vis", sheets[-1].name)}">')
        parts.append(note('Frames that were held out. Rows: real, pose, before and after.' if len(sheets) > 1 else
                          'Frames that were held out, before: real, pose, generated.'))
    if model['best']:
        parts.append(f'<a class="hvt-download" href="{address("models", name, RUN, model["best"].name)}" '
                     f'download="{escape(name)}.pth">download the generator</a>')
    return ''.join(parts) or note('Nothing to show yet.')


def curves(run: Path) -> str:
    """What a training logged so far, as small charts."""
    rows = []
    for file in sorted(run.glob('*/vis_data/scalars.json'))[-1:]:
        for line in file.read_text(errors='replace').splitlines():
            with suppress(json.JSONDecodeError):
                rows.append(json.loads(line))
    charts = []
    for start, label in CURVES.items():
        points = [(row['step'], value) for row in rows for key, value in row.items()
                  if key.startswith(start) and isinstance(value, (int, float)) and 'step' in row]
        if points:
            charts.append(_chart(points, label))
    return f'<div class="hvt-curves">{"".join(charts)}</div>' if charts else ''


def _chart(points: list[tuple[int, float]], label: str) -> str:
    steps, values = [p[0] for p in points], [p[1] for p in points]
    low, high, first, last = min(values), max(values), min(steps), max(steps)

    def place(step: float, value: float) -> tuple[float, float]:
        return (EDGE + (step - first) / max(last - first, 1) * (WIDTH - EDGE - 8),
                TOP + (high - value) / max(high - low, 1e-9) * (HEIGHT - TOP - 24))

    line = ' '.join(f'{x:.1f},{y:.1f}' for x, y in (place(*p) for p in points))
    dots = ''.join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in (place(*p) for p in points))
    texts = ((EDGE - 4, TOP + 4, 'end', f'{high:.4g}'), (EDGE - 4, HEIGHT - 20, 'end', f'{low:.4g}'),
             (EDGE, HEIGHT - 4, 'start', f'iteration {first}'), (WIDTH - 8, HEIGHT - 4, 'end', f'{last}'),
             (EDGE, 11, 'start', f'{label}: {values[-1]:.4g}'))
    words = ''.join(f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>' for x, y, anchor, text in texts)
    return (f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}: {values[-1]:.4g}">'
            f'<polyline points="{line}" fill="none"/>{dots}{words}</svg>')
