"""A visitor of the page: a real browser, and what one does in it."""

import json
import os
import shutil
import time
import urllib.request

import cv2
import numpy as np
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from toolkit.synthetic.actions import SyntheticActions
from toolkit.video.io import VideoWriter

CHROMIUM, DRIVER = (shutil.which(name) for name in ('chromium', 'chromedriver'))
PATIENCE = float(os.environ.get('TOOLKIT_BROWSER_PATIENCE', 120))
"""Seconds to wait for a job; a machine that is busy with other things needs more."""


class Visitor:
    """A browser and what one does in it.

    Args:
        address: of the page.
        folder: for its screenshots.
        camera: a film that it shows as its camera; a test picture without.
        switches: more of Chromium's.
    """

    def __init__(self, address, folder, camera=None, switches=()):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for switch in ('--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--window-size=1180,1400',
                       '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream', *switches):
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


def film_of_somebody(file, frames=40):
    """Write a video of somebody who jumps, 160x256 at 25 frames a second."""
    people = SyntheticActions(height=256, width=160, frames=frames)
    with VideoWriter(file, 25) as video:
        for t in range(frames):  # a fine-tuning needs footage that is some frames away
            video.write(people.render(5, 'jumping_jack', t).frame)


def film_of_a_camera(file):
    """Write a film that a browser shows as its camera, of somebody in a wide picture."""
    people = SyntheticActions(height=480, width=320, frames=30)
    frames = [np.pad(people.render(5, 'jumping_jack', t).frame, ((0, 0), (160, 160), (0, 0)), mode='edge') for t in range(30)]
    file.write_bytes(b''.join(cv2.imencode('.jpg', frame[..., ::-1])[1].tobytes() for frame in frames))
