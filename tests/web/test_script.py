"""What the page's script does, where Node is there to run it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import toolkit

SCRIPT = Path(toolkit.__file__).parent / 'web' / 'page.js'
AROUND = """
const panel = {set innerHTML(html) { drawn.push(html); }}, drawn = [], later = [], on = {};
globalThis.window = globalThis;
globalThis.document = {addEventListener: (kind, work) => { on[kind] = work; }, getElementById: id => id === 'hvt-job' ? panel : null};
globalThis.setTimeout = work => later.push(work);
globalThis.clearTimeout = () => {};
Object.defineProperty(globalThis, 'navigator', {configurable: true, value: {}});
globalThis.fetch = async () => {
  const html = answers.shift();
  if (html === null) throw new Error('no server');
  return {ok: true, json: async () => ({html, busy: false, version: '1'})};
};
const answers = """
POLLED = """
(async () => {
  for (let i = 0; i < 100; i++) {
    await new Promise(done => setImmediate(done));
    if (answers.length && later.length) later.shift()();
  }
  console.log(JSON.stringify(drawn));
})();
"""
FILMED = """
const button = {classList: {contains: name => name === 'hvt-film'}, closest: () => box}, said = {}, seen = [];
const box = {querySelector: css => css === '.hvt-film' ? button : css === '.hvt-upload-said' ? said : {}};
Object.defineProperty(globalThis, 'navigator', {value: {mediaDevices: {getUserMedia: async () => {
  seen.push(button.disabled);
  throw new Error('no camera');
}}}});
on.click({target: button});
setImmediate(() => console.log(JSON.stringify([...seen, button.disabled, said.textContent])));
"""

UNUSED = """
const button = {classList: {contains: name => name === 'hvt-film'}, closest: () => box}, said = {}, seen = [];
const view = {play: async () => {}, hidden: true};
const box = {querySelector: css => css === '.hvt-film' ? button : css === '.hvt-upload-said' ? said : view};
globalThis.MediaRecorder = class { constructor() { throw new Error('no recorder'); } };
Object.defineProperty(globalThis, 'navigator', {value: {mediaDevices: {getUserMedia: async () => {
  return {getTracks: () => [{stop: () => seen.push('camera off')}]};
}}}});
on.click({target: button});
setImmediate(() => console.log(JSON.stringify([...seen, view.hidden, button.disabled, said.textContent])));
"""


def run(after, answers=('',), before=''):
    node = shutil.which('node')
    if node is None:
        pytest.skip('needs Node to run the script')
    code = f'{AROUND}{json.dumps(answers)};\n{before}{SCRIPT.read_text()}{after}'
    return json.loads(subprocess.run([node, '-'], input=code, capture_output=True, text=True, check=True, timeout=60).stdout)


def test_a_panel_that_did_not_change_is_left_alone():
    drawn = run(POLLED, ['a', 'a', 'b', 'b', None, None, 'b'])
    assert drawn[:2] == ['a', 'b'] and 'does not answer' in drawn[2] and drawn[3:] == ['b']


def test_a_browser_without_cookies_asks_for_nothing_that_would_be_a_new_visitor():
    said, = run(POLLED, ['a'], 'navigator.cookieEnabled = false;')
    assert 'allow cookies' in said


def test_a_browser_that_cannot_record_turns_its_camera_off_and_says_so():
    off, hidden, disabled, said = run(UNUSED)
    assert off == 'camera off' and hidden and not disabled and 'cannot be used (Error)' in said


def test_a_second_click_does_not_film_twice_while_the_browser_asks():
    pending, after, said = run(FILMED)
    assert pending and not after and 'cannot be used' in said
