import base64
import json
import re

import cv2
import numpy as np
import pytest

from toolkit.preparing.charts import coverage_chart, line_chart
from toolkit.preparing.prepare import prepare_video
from toolkit.preparing.report import write_report
from toolkit.preparing.settings import UnusableClipError
from toolkit.sheets import PART_COLORS, contact_sheet, overlay_mask, overlay_parts, paint_parts
from toolkit.structures import InputError


def pictures(page):
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    return [cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR) for data in found]


@pytest.fixture
def prepare(people, tmp_path):
    def run(name, frames):
        path = people.write(tmp_path / name, frames)
        return prepare_video(path, tmp_path / 'out', people.Pose(), people.Edges(), people.Mask(), height=96, width=64)
    return run


def test_page_shows_ready_and_failed_clips_with_pictures(prepare, people, tmp_path):
    def frame(x=60):
        return people.draw(120, 160, x, 36, 20)
    prepare('good.mp4', [frame(60 + t) for t in range(20)])
    prepare('jump<b>.mp4', [frame(40)] * 10 + [frame(120)] * 10)
    with pytest.raises(UnusableClipError):
        prepare('empty.mp4', [frame(-99)] * 5)
    page = write_report(tmp_path / 'out').read_text()
    assert '2 clips ready, 1 of them with warnings' in page and '1 failed' in page
    assert 'no person found in any of 5 frames' in page and 'jump to another person at frame 10' in page
    assert '<b>' not in page and 'jump_b_' in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    shown = pictures(page)
    assert len(shown) == 1 + 2 + 2 + 1 and all(p is not None for p in shown)
    assert page.count('<svg') == 6
    json.loads((tmp_path / 'out' / 'good' / 'manifest.json').read_text())


def test_a_failure_is_forgotten_when_the_clip_succeeds(prepare, people, tmp_path):
    with pytest.raises(UnusableClipError):
        prepare('a.mp4', [people.draw(120, 160, -99, 36, 20)] * 5)
    prepare('a.mp4', [people.draw(120, 160, 60, 36, 20)] * 5)
    page = write_report(tmp_path / 'out').read_text()
    assert '0 failed' in page and '1 clips ready' in page


def test_empty_folder(tmp_path):
    assert '0 clips ready' in write_report(tmp_path).read_text()


def test_coverage_chart_merges_runs():
    raw = np.array([[1], [1], [0], [0], [1]], bool)
    clean = np.array([[1], [1], [1], [0], [1]], bool)
    assert coverage_chart(raw, clean, ['left_knee']).count('<rect') == 4
    assert 'left knee  60%' in coverage_chart(raw, clean, ['left_knee'])


def test_line_chart_breaks_at_missing_values_and_stays_small():
    chart = line_chart({'a': np.array([1, 2, np.nan, 3, 1.])}, 'px', {'jump': [3]}, limit=2)
    path = re.search(r'<path d="([^"]*)"', chart).group(1)
    assert path.count('M') == 2 and path.count('L') == 2 and '<title>jump, frame 3</title>' in chart
    assert len(line_chart({'a': np.random.default_rng(0).random(200_000)}, 'px')) < 30_000
    assert '<svg' in line_chart({'a': np.full(4, np.nan)}, '')


def test_contact_sheet_places_every_picture():
    red, gray = np.full((10, 8, 3), (255, 0, 0), np.uint8), np.full((6, 4), .5, np.float32)
    sheet = contact_sheet([[red, gray], [gray]], gap=2)
    assert sheet.shape == (10 + 6 + 3 * 2, 8 + 4 + 3 * 2, 3)
    assert (sheet[2:12, 2:10] == (255, 0, 0)).all() and (sheet[2:8, 12:16] == 128).all() and (sheet[14:20, 2:6] == 128).all()
    assert (sheet[14:20, 8:] == 255).all()
    assert contact_sheet([[red]], height=20, gap=0).shape == (20, 16, 3)
    assert (contact_sheet([[np.zeros((40, 60, 3), np.uint8)]], [['7']]) != contact_sheet([[np.zeros((40, 60, 3), np.uint8)]])).any()


def test_overlays_touch_what_they_should():
    frame = np.full((20, 20, 3), 90, np.uint8)
    parts = np.zeros((20, 20), np.uint8)
    parts[5:10, 5:10] = 3
    out = overlay_parts(frame, parts)
    assert (out[parts == 0] == 90).all() and (out[parts == 3] != 90).any(-1).all()
    assert (paint_parts(parts)[6, 6] == PART_COLORS[3]).all()
    masked = overlay_mask(frame, (parts > 0).astype(np.float32))
    assert masked[0, 0, 0] == int(90 * .33) and (masked[7, 7] == 90).all()


def test_a_report_of_others_is_kept(tmp_path):
    page = tmp_path / 'report.html'
    page.write_text('<html>my work')
    with pytest.raises(InputError, match='report.html: is not a report of ours'):
        write_report(tmp_path)
    assert page.read_text() == '<html>my work'
    page.unlink()
    write_report(tmp_path)
    assert '0 clips ready' in write_report(tmp_path).read_text(), 'one of ours is replaced'


def test_a_picture_that_is_a_link_is_not_shown(prepare, people, tmp_path):
    clip = prepare('good.mp4', [people.draw(120, 160, 60, 36, 20)] * 5)
    (tmp_path / 'secret').write_text('secret')
    (clip.folder / 'source.jpg').unlink()
    (clip.folder / 'source.jpg').symlink_to(tmp_path / 'secret')
    assert base64.b64encode(b'secret').decode() not in write_report(tmp_path / 'out').read_text()


@pytest.mark.parametrize('change', [
    dict(report={}), dict(report=[1]), dict(source=None), dict(source={}), dict(made_by=[]), dict(made_by=dict(poses=5)),
    dict(height=None), dict(fps=float('nan')), dict(report=dict(switches=[10**6])), dict(person='\ud800')], ids=repr)
def test_one_broken_clip_does_not_stop_the_report_of_all(prepare, people, tmp_path, change):
    for name in ('good', 'bad'):
        prepare(f'{name}.mp4', [people.draw(120, 160, 60 + t, 36, 20) for t in range(5)])
    file = tmp_path / 'out' / 'bad' / 'manifest.json'
    manifest = json.loads(file.read_text())
    if isinstance(change.get('report'), dict) and change['report']:
        change = dict(report=manifest['report'] | change['report'])
    file.write_text(json.dumps(manifest | change))
    (tmp_path / 'out' / '.other.partial' / 'work').mkdir(parents=True)
    (tmp_path / 'out' / '.other.partial' / 'work' / 'failure.json').write_text('[5]')
    page = write_report(tmp_path / 'out').read_text()
    ready, failed = ('1', '2') if change != dict(report={}) else ('1', '1')
    assert f'{ready} clips ready' in page and f'{failed} failed' in page and 'what went wrong is not readable' in page
    assert ('manifest.json' in page) == (failed == '2')
