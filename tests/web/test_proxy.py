"""The page behind a real proxy, set up as docs/web.md says it: with https, a password, and a name of its own."""

import base64
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip('gradio', reason="needs gradio: pip install 'human-video-toolkit[web]'")
pytest.importorskip('selenium', reason="needs selenium: pip install 'human-video-toolkit[browser]'")
pytest.importorskip('mediapipe', reason='needs MediaPipe to find people in an upload')

from selenium.webdriver.common.by import By

from tests.web.visitor import CHROMIUM, DRIVER, PATIENCE, Visitor, film_of_a_camera, film_of_somebody
from toolkit.web.server import listen

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
NGINX = shutil.which('nginx', path=f'{os.environ["PATH"]}:/usr/sbin')
NAME, USER, PASSWORD = 'page.example.org', 'visitor', 'open'
AROUND = '''daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxied;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{server}
}}
'''


def free_port():
    with listen('127.0.0.1', 0) as listening:
        return listening.getsockname()[1]


def documented(folder, port, behind):
    """What docs/web.md says of nginx, with the ports and files of this test."""
    said = re.search(r'```nginx\n(.*?)```', (ROOT / 'docs/web.md').read_text(), re.S).group(1)
    for there, here in (
            (r'listen 443', f'listen 127.0.0.1:{port}'), (r':7860', f':{behind}'), (r'/etc/ssl/\S+\.pem', f'{folder}/page.pem'),
            (r'/etc/ssl/\S+\.key', f'{folder}/page.key'), (r'/etc/nginx/page\.users', f'{folder}/page.users')):
        said, found = re.subn(there, here, said)
        assert found == 1, f'{there} is not in the documented lines'
    return AROUND.format(folder=folder, server=said, user='user root;' if os.geteuid() == 0 else '')


@pytest.fixture(scope='module')
def proxied(tmp_path_factory):
    """Port of a proxy on this machine; behind it ``hvt web``, as a process of its own."""
    if not (CHROMIUM and DRIVER):
        pytest.skip('needs Chromium and its driver: make test-web installs them')
    if not NGINX or not shutil.which('openssl'):
        pytest.skip('needs nginx and openssl: apt-get install nginx openssl')
    folder, port, behind = tmp_path_factory.mktemp('proxy'), free_port(), free_port()
    subprocess.run(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', f'/CN={NAME}', '-keyout',
                    f'{folder}/page.key', '-out', f'{folder}/page.pem'], check=True, capture_output=True)
    word = subprocess.run(['openssl', 'passwd', '-apr1', PASSWORD], check=True, capture_output=True, text=True).stdout.strip()
    (folder / 'page.users').write_text(f'{USER}:{word}\n')
    (folder / 'nginx.conf').write_text(documented(folder, port, behind))
    page = subprocess.Popen(
        [sys.executable, ROOT / 'tools/web.py', '--name', NAME, '--port', str(behind), '--work-dir', folder / 'files',
         '--free-mb', '0'], stdout=subprocess.PIPE, text=True)
    proxy = subprocess.Popen([NGINX, '-c', folder / 'nginx.conf', '-p', folder], stderr=subprocess.DEVNULL)
    try:
        assert 'the page is at' in page.stdout.readline()
        yield port
    finally:
        for process in (proxy, page):
            process.terminate()
            process.wait(30)


def ask(port, path='/', **headers):
    """Status and headers of an answer through the proxy."""
    request = urllib.request.Request(f'https://127.0.0.1:{port}{path}', headers={'Host': f'{NAME}:{port}', **headers})
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(request, context=trusting) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.headers


def test_the_proxy_asks_for_the_password_and_the_cookie_travels_by_https_alone(proxied):
    assert ask(proxied)[0] == 401
    known = dict(Authorization='Basic ' + base64.b64encode(f'{USER}:{PASSWORD}'.encode()).decode())
    deadline = time.monotonic() + PATIENCE
    while (answer := ask(proxied, **known))[0] == 502 and time.monotonic() < deadline:
        time.sleep(.2)
    assert answer[0] == 200 and answer[1]['set-cookie'].endswith('; Secure')
    assert ask(proxied, **{**known, 'Host': 'another.example.org'})[0] == 403


def test_a_visit_through_the_proxy(proxied, tmp_path):
    film_of_somebody(tmp_path / 'my dance.mp4', 30)
    film_of_a_camera(tmp_path / 'camera.mjpeg')
    switches = (f'--host-resolver-rules=MAP {NAME} 127.0.0.1', '--ignore-certificate-errors')
    address = f'https://{NAME}:{proxied}'
    visitor = Visitor(f'https://{USER}:{PASSWORD}@{NAME}:{proxied}', tmp_path, tmp_path / 'camera.mjpeg', switches)
    try:
        visitor.driver.get_log('performance')
        visitor.address = address  # without the password, as after the browser's own dialog, which a test cannot type into
        visitor.driver.get(address)
        visitor.until('the first examples are there', lambda: visitor.value('#hvt-movement').startswith('example: '))
        visitor.upload('person', tmp_path / 'my dance.mp4')
        visitor.job('preparing my_dance')
        visitor.until('the upload is chosen', lambda: visitor.value('#hvt-person') == 'my_dance', 20)
        visitor.type_number('#hvt-seconds', .4)
        visitor.click('#hvt-generate')
        visitor.job('generating my_dance_')
        visitor.until('both videos play', lambda: visitor.driver.execute_script(
            'return [...document.querySelectorAll(".hvt-stage video")].filter(v => v.readyState >= 2).length == 2'), 20)
        assert visitor.find('#hvt-result a.hvt-download').get_attribute('href').startswith(address)
        visitor.driver.find_element(By.XPATH, '//button[@role="tab"][contains(., "Live")]').click()
        visitor.click('#hvt-live-start')
        visitor.until('figures on the picture', lambda: 'fps' in visitor.find('.hvt-live-picture .hvt-tag').text)
        visitor.click('#hvt-live-stop')
        assert 'pictures in' in visitor.job('live: my_dance')
        assert not visitor.outside()
    finally:
        visitor.driver.quit()
