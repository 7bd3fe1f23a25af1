"""A visitor's way through the page in a real browser: upload, look, generate, download, dress, fine-tune, and what goes wrong."""

import json
import os
import re
import shutil
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip('gradio', reason="needs gradio: pip install 'human-video-toolkit[web]'")
pytest.importorskip('selenium', reason="needs selenium: pip install 'human-video-toolkit[browser]'")
pytest.importorskip('mediapipe', reason='needs MediaPipe to find people in an upload')

from selenium import webdriver
from selenium.webdriver.common.by import By

from toolkit.synthetic.actions import SyntheticActions
from toolkit.video.io import VideoReader, VideoWriter
from toolkit.web.sessions import Limits

pytestmark = pytest.mark.browser
CHROMIUM, DRIVER = (shutil.which(name) for name in ('chromium', 'chromedriver'))
PATIENCE = float(os.environ.get('TOOLKIT_BROWSER_PATIENCE', 120))
"""Seconds to wait for a job; a machine that is busy with other things needs more."""


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """Address and server of a page with small limits."""
    import uvicorn

    from toolkit.web.server import Server, listen
    if not (CHROMIUM and DRIVER):
        pytest.skip('needs Chromium and its driver: make test-web installs them')
    with listen('127.0.0.1', 0) as listening, Server(
            tmp_path_factory.mktemp('web') / 'files', Limits(upload_mb=5, seconds=3, free_mb=0), size=(192, 128)) as server:
        running = uvicorn.Server(uvicorn.Config(server.app, log_level='warning'))
        thread = threading.Thread(target=running.run, kwargs=dict(sockets=[listening]), daemon=True)
        thread.start()
        yield f'http://127.0.0.1:{listening.getsockname()[1]}', server
        running.should_exit = True
        thread.join(10)


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """A video of somebody, and files that are none."""
    folder = tmp_path_factory.mktemp('videos')
    people = SyntheticActions(height=256, width=160, frames=40)
    with VideoWriter(folder / 'my dance.mp4', 25) as video:
        for t in range(40):  # a fine-tuning needs footage that is some frames away
            video.write(people.render(5, 'jumping_jack', t).frame)
    (folder / 'text.mp4').write_text('this is no video')
    (folder / 'large.mp4').write_bytes(bytes(6_000_000))
    (folder / 'empty.mp4').write_bytes(b'')
    return folder


@pytest.fixture(scope='module')
def camera(tmp_path_factory):
    """A film that a browser shows as its camera, of somebody in a wide picture."""
    people, file = SyntheticActions(height=480, width=320, frames=30), tmp_path_factory.mktemp('camera') / 'camera.mjpeg'
    frames = [np.pad(people.render(5, 'jumping_jack', t).frame, ((0, 0), (160, 160), (0, 0)), mode='edge') for t in range(30)]
    file.write_bytes(b''.join(cv2.imencode('.jpg', frame[..., ::-1])[1].tobytes() for frame in frames))
    return file


class Visitor:
    """A browser and what one does in it."""

    def __init__(self, address, folder, camera=None):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for switch in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--window-size=1180,1400',
                       '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'):
            options.add_argument(switch)
        if camera:
            options.add_argument(f'--use-file-for-fake-video-capture={camera}')
        options.set_capability('goog:loggingPrefs', {'performance': 'ALL', 'browser': 'ALL'})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER, popen_kw=dict(start_new_session=True)))
        self.address, self.folder = address, folder
        self.driver.get(address)

    def find(self, css):
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def until(self, what, condition, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            try:
                if found := condition():
                    return found
            except Exception as error:
                last = error
            else:
                last = None
            time.sleep(.15)
        self.shot('failed')
        raise AssertionError(f'{what} did not happen: {last!r}; the job says: {self.find("#hvt-job").text}')

    def shown(self, css):
        return any(e.is_displayed() for e in self.driver.find_elements(By.CSS_SELECTOR, css))

    def click(self, css):
        self.driver.execute_script('arguments[0].scrollIntoView({block: "center"})', self.find(css))
        self.until(f'a click on {css}', lambda: self.find(css).click() or True, 20)

    def choose(self, css, words):
        label = next(e for e in self.driver.find_elements(By.CSS_SELECTOR, f'{css} label') if e.text.strip() == words)
        self.driver.execute_script('arguments[0].scrollIntoView({block: "center"}); arguments[0].click()', label)

    def type_number(self, css, value):
        def typed():  # a slider that has just been drawn forgets what is typed: its bar says what it knows
            self.driver.execute_script(
                "const e = arguments[0];"
                "Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(e, arguments[1]);"
                "e.dispatchEvent(new Event('input', {bubbles: true})); e.dispatchEvent(new Event('blur', {bubbles: true}));",
                self.find(f'{css} input[type=number]'), str(value))
            time.sleep(.2)
            return self.find(f'{css} input[type=range]').get_attribute('value') == str(value)
        self.until(f'{value} in {css}', typed, 20)

    def upload(self, role, file):
        self.find(f'#hvt-file-{role}').send_keys(str(file))

    def value(self, css):
        return self.find(f'{css} input').get_attribute('value')

    def job(self, title, state='done', patience=PATIENCE):
        """Wait for a job to come to a state; returns what the panel says."""
        def there():
            here, said = self.driver.execute_script(  # at once: the panel changes all the time
                'const job = document.querySelector("#hvt-job [data-state]"); return [job.dataset.state, job.innerText]')
            if here in ('failed', 'stopped') and here != state and title in said:
                pytest.fail(f'{title}: {said}')
            return title in said and here == state and said
        return self.until(f'{title}: {state}', there, patience)

    def shot(self, name):
        self.driver.save_screenshot(str(self.folder / f'{name}.png'))

    def get(self, url, cookies=True):
        """A file, as the browser would get it."""
        cookie = '; '.join(f'{c["name"]}={c["value"]}' for c in self.driver.get_cookies()) if cookies else ''
        with urllib.request.urlopen(urllib.request.Request(url, headers=dict(cookie=cookie))) as answer:
            return answer.read()

    def outside(self):
        """Addresses of other machines that the browser asked for."""
        messages = [json.loads(entry['message'])['message'] for entry in self.driver.get_log('performance')]
        asked = [m['params']['request']['url'] for m in messages if m['method'] == 'Network.requestWillBeSent']
        return [url for url in asked if not url.startswith((self.address, 'data:', 'blob:', 'about:', 'chrome'))]


def frames_of(data, path):
    path.write_bytes(data)
    return np.stack([frame for frame, _ in VideoReader(path)])


def test_a_visit(page, videos, tmp_path):
    address, server = page
    shots = Path(os.environ.get('TOOLKIT_SCREENSHOTS') or tmp_path)
    visitor = Visitor(address, shots)
    try:
        visit(visitor, videos, tmp_path)
    finally:
        visitor.driver.quit()


def visit(visitor, videos, tmp_path):
    # the built-in people are there, and the first result needs one click
    visitor.until('the first examples are there', lambda: visitor.value('#hvt-movement').startswith('example: '))
    assert visitor.value('#hvt-person').startswith('example: ') and visitor.value('#hvt-movement') != visitor.value('#hvt-person')
    visitor.until('it is said what to do', lambda: 'Nothing is being made' in visitor.find('#hvt-job').text)
    visitor.until('what was found is shown', lambda: visitor.driver.execute_script(
        'return document.querySelector("#hvt-person-found video").readyState >= 2'), 20)
    visitor.shot('1_start')

    # upload and prepare
    visitor.upload('person', videos / 'my dance.mp4')
    visitor.job('preparing my_dance')
    visitor.until('the upload is chosen', lambda: visitor.value('#hvt-person') == 'my_dance', 20)
    report = visitor.until('a report', lambda: visitor.find('#hvt-person-found a').get_attribute('href'), 20)
    assert b'Prepared clips' in visitor.get(report) and 'clips/my_dance' in report
    visitor.shot('2_prepared')

    # generate, compare, download
    visitor.type_number('#hvt-seconds', .4)
    visitor.click('#hvt-generate')
    visitor.job('generating my_dance_')
    link = visitor.until('a link', lambda: visitor.find('#hvt-result a.hvt-download'), 20)
    first = link.get_attribute('download').removesuffix('.mp4')
    assert first.startswith('my_dance_')
    own = frames_of(visitor.get(link.get_attribute('href')), tmp_path / 'own.mp4')
    assert len(own) == 10 and own.std() > 20
    visitor.until('both videos play', lambda: visitor.driver.execute_script(
        'return [...document.querySelectorAll(".hvt-stage video")].filter(v => v.readyState >= 2).length == 2'), 20)
    visitor.shot('3_beside')
    assert not visitor.shown('.hvt-cut')
    visitor.click('.hvt-lay')
    visitor.driver.execute_script('const e = document.querySelector(".hvt-cut"); e.value = 30; '
                                  'e.dispatchEvent(new Event("input", {bubbles: true})); e.scrollIntoView({block: "end"})')
    assert '30%' in visitor.find('.hvt-compare').get_attribute('style')
    over, under, cut = (visitor.find(f'.hvt-{name}').rect for name in ('over', 'under', 'cut'))
    assert over == under and cut['width'] <= over['width'] + 4, 'the same place of both videos lies under the slider'
    visitor.shot('3_result')
    with pytest.raises(urllib.error.HTTPError, match='404'):
        visitor.get(link.get_attribute('href'), cookies=False)

    # other colors
    visitor.choose('#hvt-way', 'colors of my choice')
    visitor.until('the pickers are shown', lambda: visitor.shown('#hvt-up'), 20)
    visitor.click('#hvt-generate')
    said = visitor.job(f'generating {first}_2')
    visitor.until('a second result', lambda: visitor.find('#hvt-result a').get_attribute('download') == f'{first}_2.mp4', 20)
    assert 'upper garment: #c03030' in said
    dressed = frames_of(visitor.get(visitor.find('#hvt-result a.hvt-download').get_attribute('href')), tmp_path / 'dressed.mp4')
    changed = np.abs(dressed.astype(int) - own).max(-1) > 40
    assert dressed.shape == own.shape and .005 < changed.mean() < .5
    visitor.shot('4_colors')
    visitor.choose('#hvt-way', 'as they are')
    visitor.until('the pickers are gone', lambda: not visitor.shown('#hvt-up'), 20)

    # fine-tune: stop, go on, before and after
    visitor.driver.find_element(By.XPATH, '//button[@role="tab"][contains(., "Fine-tune")]').click()
    visitor.type_number('#hvt-iterations', 8)
    visitor.click('#hvt-tune')
    said = visitor.until('training', lambda: 'training: ' in visitor.find('#hvt-job').text and visitor.find('#hvt-job').text)
    visitor.find('#hvt-cancel').click()
    assert 'of 8' in said
    visitor.job('fine-tuning my_dance_tuned', 'stopped')
    visitor.until('it can go on', lambda: visitor.value('#hvt-tuned') == 'my_dance_tuned', 20)
    visitor.click('#hvt-go-on')
    visitor.until('it goes on', lambda: 'stopped' not in visitor.find('#hvt-job').text, 20)
    visitor.until('a curve while it trains', lambda: visitor.find('#hvt-job .hvt-curves svg'))
    visitor.job('fine-tuning my_dance_tuned')
    visitor.until('before and after', lambda: visitor.driver.execute_script(
        'const i = document.querySelector("#hvt-model-shown img"); return i && i.naturalWidth > 100'), 30)
    visitor.until('its curve', lambda: visitor.find('#hvt-model-shown .hvt-curves svg'), 30)
    visitor.shot('5_tuned')

    # everything is in the gallery, and stays when the page is loaded anew
    visitor.driver.refresh()
    visitor.until('the page again', lambda: visitor.value('#hvt-person'))
    visitor.driver.find_element(By.XPATH, '//button[@role="tab"][contains(., "Gallery")]').click()
    visitor.until('two videos', lambda: len(visitor.driver.find_elements(By.CSS_SELECTOR, '#hvt-gallery figure')) == 2, 20)
    visitor.shot('6_gallery')
    visitor.driver.find_element(By.XPATH, '//button[@role="tab"][contains(., "Make")]').click()

    # what goes wrong is said
    for name, said in (('large.mp4', 'at most 5 MB'), ('empty.mp4', 'the file is empty')):
        visitor.upload('movement', videos / name)
        visitor.until(said, lambda said=said: said in visitor.find('[data-role=movement] .hvt-upload-said').text, 20)
    visitor.upload('movement', videos / 'text.mp4')
    assert 'Traceback' not in visitor.job('preparing text', 'failed') and visitor.find('#hvt-job .hvt-error').text
    visitor.click('[data-role=movement] .hvt-film')  # the camera of this browser shows a test picture, and nobody
    visitor.until('filming', lambda: visitor.find('[data-role=movement] .hvt-film').text == 'stop', 20)
    time.sleep(1)
    visitor.click('[data-role=movement] .hvt-film')
    assert 'person' in visitor.job('preparing filmed', 'failed')
    visitor.shot('7_error')
    visitor.choose('#hvt-way', 'as in a picture')
    visitor.until('a place for the picture', lambda: visitor.shown('#hvt-like'), 20)
    visitor.click('#hvt-generate')
    visitor.until('an error', lambda: 'upload a picture' in visitor.find('.toast-wrap').text, 20)
    visitor.click('#hvt-cancel')
    visitor.until('a message', lambda: 'nothing to cancel' in visitor.find('.toast-wrap').text, 20)
    assert not visitor.outside()


def test_a_live_visit(page, camera, tmp_path):
    visitor = Visitor(page[0], Path(os.environ.get('TOOLKIT_SCREENSHOTS') or tmp_path), camera)
    try:
        visitor.until('the examples are there', lambda: visitor.value('#hvt-person').startswith('example: '))
        visitor.driver.find_element(By.XPATH, '//button[@role="tab"][contains(., "Live")]').click()
        visitor.click('#hvt-live-start')
        figures = visitor.until('figures on the picture', lambda: visitor.find('.hvt-live-picture .hvt-tag').text)
        assert re.fullmatch(r'\d+ fps +\d+ ms +95%: \d+ ms', figures)
        bright = ('const c = document.querySelector("#hvt-live canvas"); '
                  'const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data; let sum = 0; '
                  'for (let i = 0; i < d.length; i += 4) sum += d[i] * (1 + i % 997); return sum')
        first = visitor.driver.execute_script(bright)
        visitor.until('the picture moves', lambda: visitor.driver.execute_script(bright) != first, 60)
        assert len(visitor.driver.find_elements(By.CSS_SELECTOR, '#hvt-live video[hidden]')) == 0
        visitor.shot('8_live')
        visitor.click('#hvt-live-stop')
        assert 'pictures in' in visitor.job('live: example')
        visitor.until('the camera is off', lambda: visitor.find('.hvt-live-said').text == 'Stopped.', 20)
        assert not visitor.outside()
    finally:
        visitor.driver.quit()
