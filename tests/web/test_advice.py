"""Messages in the page name nothing that a page does not have."""

import ast
from pathlib import Path

import pytest

import toolkit
from toolkit.web.advice import FOREIGN, NOT_HERE, for_page

ROOT = Path(toolkit.__file__).parent
UPLOADS = 'preparing', 'video', 'poses', 'masks', 'edges', 'clips'
JOBS = *UPLOADS, 'inference', 'datasets', 'engine', 'models', 'colors', 'outputs.py', 'files.py', 'doors.py', 'weights.py'


def text(node):
    """A text in code, with ``X`` for what is put into it."""
    if isinstance(node, ast.JoinedStr):
        return ''.join(text(part) or 'X' for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ''


def messages(*places):
    """What the code of some packages says in errors and warnings."""
    for place in places:
        for file in sorted((ROOT / place).rglob('*.py')) if (ROOT / place).is_dir() else [ROOT / place]:
            calls = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
            for call in calls:
                name = getattr(call.func, 'id', getattr(call.func, 'attr', ''))
                if name.endswith('Error') or name in ('append', 'say', 'warning', 'Interrupted'):
                    yield from (said for said in map(text, call.args) if ' ' in said)


NOBODY = 'me.mp4: no person found in any of 9 frames by RTMPose; is somebody to be seen, upright and not too small?'
SELDOM = 'me.mp4: a person is found in 20% of frames 0..9 only, at least 50% are needed; choose a '


@pytest.mark.parametrize('said, shown', [
    (f'{NOBODY} Another estimator (--pose) may find them', NOBODY), (NOBODY, NOBODY),
    (f'{SELDOM}stretch with the person in view (--start, --end) or another estimator (--pose)',
     f'{SELDOM}video that shows the person all the time, or another second to begin at'),
    ('stopped after iteration 4, saved run/iter_4.pth. Go on with the same command and --resume',
     'stopped after iteration 4, saved run/iter_4.pth. Press "Go on" to continue'),
    ('me.mp4: exists already; say --overwrite (overwrite=True) to replace it, or choose another name',
     'me.mp4: exists already; choose another name'),
    ('x.heic: a picture in HEIC (or AVIF), which needs a package more: pip install it, or convert the picture to JPEG',
     'x.heic: a picture in HEIC (or AVIF), which this server cannot read; convert the picture to JPEG'),
    ('clips/me: the disk is full. What is done so far is kept: free some space and run the same command again, it goes on',
     'clips/me: the disk of the server is full; remove what you do not need in the gallery, or come back later'),
    ('references.mp4: is no video that can be read', 'references.mp4: is no video that can be read'),
    ('--my.MP4: holds no frame; see --start', '--my.MP4: holds no frame'), ('--my: 2, expected 3', NOT_HERE),
    ('model.window=3, expected 2; set it', NOT_HERE)])
def test_advice_is_what_one_can_do_in_the_page(said, shown):
    assert for_page(said) == shown


def test_no_message_of_a_job_names_an_option_or_a_tool():
    said = list(messages(*JOBS))
    foreign = [message for message in said if FOREIGN.search(message)]
    assert len(said) > 300 and len(foreign) > 50 and '--pose' in ' '.join(foreign)
    shown = [for_page(message) for message in said]
    assert all(shown) and not [message for message in shown if FOREIGN.search(message)]
    assert [message for message, ours in zip(said, shown) if not FOREIGN.search(message)] == [
        ours for message, ours in zip(said, shown) if not FOREIGN.search(message)], 'what names nothing foreign stays'


def test_what_is_wrong_with_an_upload_is_always_said():
    known = ('--name is for a single video', '--pose: the keypoint files', 'X: clip.json')
    lost = [message for message in messages(*UPLOADS) if for_page(message) == NOT_HERE and not message.startswith(known)]
    assert not lost
