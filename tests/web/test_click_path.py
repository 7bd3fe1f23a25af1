"""A visitor's way through the page in a real browser: upload, look, generate, download, dress, fine-tune, and what goes wrong."""

import os
import re
import threading
import time
import urllib.error
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('gradio', reason="needs gradio: pip install 'human-video-toolkit[web]'")
pytest.importorskip('selenium', reason="needs selenium: pip install 'human-video-toolkit[browser]'")
pytest.importorskip('mediapipe', reason='needs MediaPipe to find people in an upload')

from selenium.webdriver.common.by import By

from tests.web.visitor import CHROMIUM, DRIVER, Visitor, film_of_a_camera, film_of_somebody
from toolkit.video.io import VideoReader
from toolkit.web.sessions import Limits

pytestmark = pytest.mark.browser


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
    film_of_somebody(folder / 'my dance.mp4')
    (folder / 'text.mp4').write_text('this is no video')
    (folder / 'large.mp4').write_bytes(bytes(6_000_000))
    (folder / 'empty.mp4').write_bytes(b'')
    return folder


@pytest.fixture(scope='module')
def camera(tmp_path_factory):
    file = tmp_path_factory.mktemp('camera') / 'camera.mjpeg'
    film_of_a_camera(file)
    return file


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
