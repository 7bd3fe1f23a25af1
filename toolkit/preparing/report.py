"""The report of prepared clips: one HTML page with everything in it, made to be looked at before a training is started."""

import base64
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import jinja2
import numpy as np

from toolkit.clips.clip import Clip, find_clips
from toolkit.clips.crop import THRESHOLD, person_boxes
from toolkit.doors import open_regular, read_bytes, read_json
from toolkit.files import write_file
from toolkit.locks import check_lock, locked
from toolkit.poses.draw import draw_pose_on
from toolkit.preparing.charts import COLORS, coverage_chart, line_chart
from toolkit.preparing.quality import jitter, present
from toolkit.sheets import contact_sheet, overlay_mask, overlay_parts
from toolkit.skeletons import JOINTS
from toolkit.structures import InputError, spread
from toolkit.video.picture_file import read_picture

LOCK = '.report.lock'
TILE_HEIGHT = 210
STEADY = .03

MARK = '<meta name="generator" content="human-video-toolkit">'

PAGE = jinja2.Template("""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">{{ mark|safe }}
<title>Prepared clips</title><meta name="viewport" content="width=device-width">
<style>
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif;
       max-width: 1180px; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; font-size: 13px; }
th, td { text-align: left; padding: 3px 8px; border-bottom: 1px solid #8884; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } img { max-width: 100%; display: block; margin: .4em 0; }
.ok { color: #2c8a4b; } .warnings { color: #b87400; } .failed { color: #c62f2f; } b { font-weight: 600; }
h2 { border-top: 2px solid #8886; padding-top: .8em; margin-top: 1.6em; } h3 { font-size: 14px; margin: 1.2em 0 .2em; }
ul { margin: .3em 0; padding-left: 1.3em; } .small { font-size: 12.5px; opacity: .8; }
.key { display: inline-block; width: 11px; height: 11px; }
.flex { display: flex; gap: 1em; flex-wrap: wrap; align-items: flex-start; } .flex > div { flex: 1 1 420px; }
</style></head><body>
<h1>Prepared clips</h1>
<p>{{ entries|length }} clips ready, {{ entries|selectattr('verdict', 'equalto', 'warnings')|list|length }} of them with warnings;
{{ failures|length }} failed.</p>
{% if failures %}<h2 class="failed">Not usable</h2>
{% for f in failures %}<h3 id="f-{{ f.name }}"><span class="failed">✗ {{ f.name }}</span> ({{ f.source }})</h3>
<p>{{ f.reason }}</p>
{% if f.picture %}<img alt="frames of {{ f.name }} with what the pose estimator found" src="{{ f.picture }}">{% endif %}
{% endfor %}{% endif %}
{% if entries %}<table><tr><th>clip<th>verdict<th>person<th>action<th>frames<th>seconds<th>person seen<th>two or more people<th>person's
height<th>shake (raw)<th>size</tr>
{% for e in entries %}<tr><td><a href="#c-{{ e.name }}">{{ e.name }}</a><td class="{{ e.verdict }}">{{ e.mark }}<td>{{ e.person }}
<td>{{ e.action }}<td class="n">{{ e.frames }}<td class="n">{{ e.seconds }}<td class="n">{{ e.presence }}<td class="n">{{ e.several }}
<td class="n">{{ e.height }} px<td class="n">{{ e.jitter }} ({{ e.jitter_raw }})<td class="n">{{ e.size }}</tr>
{% endfor %}</table>
<p class="small">Person's height: in pixels of the source video. Shake: median second difference of the joints in torso lengths a frame,
after cleaning (as estimated); below {{ steady }} is steady. At low frame rates quick motion looks like shake.</p>
{% endif %}
{% for e in entries %}
<h2 id="c-{{ e.name }}">{{ e.name }} <span class="{{ e.verdict }}">{{ e.mark }}</span></h2>
<p class="small">{{ e.source }}<br>{{ e.made_by }}</p>
{% if e.warnings %}<ul class="warnings">{% for w in e.warnings %}<li>{{ w }}</li>{% endfor %}</ul>{% endif %}
{% if e.notes %}<ul class="small">{% for n in e.notes %}<li>{{ n }}</li>{% endfor %}</ul>{% endif %}
<h3>Frames: pose, parts, edges, mask</h3><img loading="lazy" alt="sample frames" src="{{ e.sheet }}">
{% if e.suspects %}<h3>Look at these: frames around suspected jumps, exchanged sides and the worst shake (poses as estimated)</h3>
<img loading="lazy" alt="suspicious frames" src="{{ e.suspects }}">{% endif %}
<div class="flex"><div style="flex: 2 1 640px"><h3>Joints in each frame:
<span class="key" style="background:{{ colors.seen }}"></span> seen
<span class="key" style="background:{{ colors.filled }}"></span> filled in
<span class="key" style="background:{{ colors.missing }}"></span> missing</h3>
{{ e.coverage|safe }}
<h3>Shake{% if e.marked %}; red: {{ e.marked }}{% endif %}</h3>{{ e.shake|safe }}
<h3>Person's height in the clip, {{ e.size }} high x wide</h3>{{ e.heights|safe }}</div>
{% if e.preview %}<div style="flex: 1 1 260px"><h3>Crop in the source video</h3>
<img loading="lazy" alt="crop" src="{{ e.preview }}"></div>{% endif %}</div>
{% endfor %}
</body></html>
""", autoescape=True)


def check_report(out_dir: str | Path) -> Path:
    """See that the report of a folder can be written: nothing is in its place, or an older report of ours.

    Returns:
        The folder.

    Raises:
        InputError: a ``report.html`` of others, or a lock that is not ours.
    """
    out_dir = Path(out_dir)
    page = out_dir / 'report.html'
    check_lock(out_dir / LOCK)
    if os.path.lexists(page):
        if page.is_symlink() or not page.is_file() or MARK.encode() not in _head(page):
            raise InputError(f'{page}: is not a report of ours and would be overwritten; move it away, or choose another folder')
    return out_dir


def write_report(out_dir: str | Path, words: Callable[[str], str] = str) -> Path:
    """Write ``report.html`` about all clips in a folder, finished and failed ones; safe when several processes do it at once.

    Args:
        out_dir: folder of prepared clips.
        words: how to say a warning to those who read it.

    Returns:
        The page.

    Raises:
        InputError: it cannot be written, or a ``report.html`` of others is there.
    """
    out_dir = check_report(out_dir)
    with locked(out_dir / LOCK):
        broken: dict[str, str] = {}
        clips = [clip for clip in find_clips(out_dir, broken) if clip.manifest.get('report')]
        samples, entries = 8 if len(clips) <= 24 else 4, []
        for clip in clips:
            try:
                entries.append(_entry(clip, samples, words))
            except InputError as error:
                broken[str(clip.folder)] = str(error)
            except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
                broken[str(clip.folder)] = f'manifest.json: source, made_by or report is not as this version writes it ({error!r}); ' \
                                           'prepare the clip again'
        failures = [_failure(file) for file in sorted(out_dir.glob('.*.partial/work/failure.json'))]
        failures += [dict(name=Path(folder).name, source=folder, reason=reason, picture=None) for folder, reason in broken.items()]
        page = PAGE.render(entries=entries, failures=failures, colors=COLORS, steady=STEADY, mark=MARK)
        write_file(out_dir / 'report.html', page.encode(errors='replace'))
    return out_dir / 'report.html'


def _head(page: Path) -> bytes:
    with open_regular(page) as file:
        return file.read(400)


def embed(image: np.ndarray) -> str:
    """A picture (H, W, 3) uint8 RGB as a data URL."""
    data = cv2.imencode('.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1].tobytes()
    return f'data:image/jpeg;base64,{base64.b64encode(data).decode()}'


def _failure(file: Path) -> dict:
    try:
        content = read_json(file)
        content = {key: str(content[key]) for key in ('name', 'source', 'reason')}
    except (InputError, KeyError, TypeError) as error:
        content = dict(name=file.parts[-3], source=str(file), reason=f'what went wrong is not readable ({error})')
    files = [path for path in sorted(file.parent.glob('poses_*.jpg')) if not path.is_symlink()]
    pictures = []
    for i in spread(len(files), 6):
        with suppress(InputError):  # the reason is what matters
            pictures.append(read_picture(files[i]))
    return dict(content, picture=embed(contact_sheet([pictures], height=TILE_HEIGHT)) if pictures else None)


def sample_sheet(clip: Clip, count: int = 8) -> np.ndarray:
    """Rows pose, parts, edges, mask of evenly spread frames, (H, W, 3) uint8."""
    rows, labels = [[], [], [], []], []
    for t in spread(len(clip), count):
        frame, mask = clip.frame(t), clip.mask(t)
        for row, image in zip(rows, (draw_pose_on(frame, clip.poses[t]), overlay_parts(frame, clip.parts(t)), clip.edge(t),
                                     overlay_mask(frame, mask))):
            row.append(image)
        labels.append(f'frame {t}')
    return contact_sheet(rows, [labels] + [[''] * len(labels)] * 3, height=TILE_HEIGHT)


def _suspects(clip: Clip, report: dict, raw: np.ndarray, shake: np.ndarray) -> str | None:
    shown, labels = [], []
    events = [('cut', t) for t in report.get('cuts', [])[:2]] + [('jump', t) for t in report['switches'][:3]]
    events += [('sides', t) for t in report['swaps'][:2]]
    if np.isfinite(shake).any() and np.nanmax(shake) > 5 * STEADY and clip.fps >= 15:
        events.append(('shake', int(np.nanargmax(shake))))
    for what, t in events:
        for s in (max(t - 1, 0), t):
            shown.append(draw_pose_on(clip.frame(s), raw[s]))
            labels.append(f'{what}: {s}')
    return embed(contact_sheet([shown], [labels], height=TILE_HEIGHT)) if shown else None


def _entry(clip: Clip, samples: int, words: Callable[[str], str]) -> dict:
    report, source = clip.manifest['report'], clip.manifest['source']
    raw = clip.array('raw')
    shake, shake_raw = jitter(clip.poses), jitter(raw)
    boxes = person_boxes(clip.poses)
    heights = np.where(present(clip.poses), boxes[:, 3] - boxes[:, 1], np.nan)
    marks = {'cut': report.get('cuts', []), 'jump': report['switches'],
             'missing frames before': report['dropped'], 'sides exchanged': report['swaps']}
    marks = {label: frames for label, frames in marks.items() if frames}
    preview = clip.folder / 'source.jpg'
    several = len(report['several_people'])
    number = '1 warning' if len(report['warnings']) == 1 else f'{len(report["warnings"])} warnings'
    return dict(
        name=clip.name, person=clip.person, action=clip.action, frames=len(clip), seconds=f'{len(clip) / clip.fps:.1f}',
        verdict=report['verdict'], mark='✓ ok' if report['verdict'] == 'ok' else f'⚠ {number}',
        presence=f'{report["presence"]:.0%}', height=f'{report["person_height"]:.0f}', size=f'{clip.height} x {clip.width}',
        several=f'{several} of {report["people_counted_in"]}' if report['people_counted_in'] else '–',
        jitter=_number(report['jitter_cleaned']), jitter_raw=_number(report['jitter']),
        warnings=[words(warning) for warning in report['warnings']], notes=report['notes'],
        source=f'{source["file"]}: {source["width"]} x {source["height"]} (wide x high), {source["codec"]}, '
               f'{source["fps"]:.2f} frames a second; crop x, y, width, height {", ".join(map(str, source["crop"]))}, scaled by '
               f'{report["scale"]:g}',
        made_by='; '.join(f'{kind} by {" ".join(map(str, record.values()))}' for kind, record in clip.manifest['made_by'].items()),
        sheet=embed(sample_sheet(clip, samples)), suspects=_suspects(clip, report, raw, shake_raw),
        coverage=coverage_chart(raw[..., 2] > THRESHOLD, clip.poses[..., 2] > THRESHOLD, JOINTS),
        shake=line_chart({'as estimated': shake_raw, 'cleaned': shake}, '', marks, limit=STEADY if clip.fps >= 15 else None),
        heights=line_chart({'height': heights}, 'px', height=50), marked=', '.join(marks),
        preview=f'data:image/jpeg;base64,{base64.b64encode(read_bytes(preview)).decode()}'
        if preview.is_file() and not preview.is_symlink() else None)


def _number(value: float | None) -> str:
    return '–' if value is None else f'{value:.3f}'
