"""The door of the page: which requests pass, and what browsers are told."""

import pytest

pytest.importorskip('gradio', reason="needs gradio: pip install 'human-video-toolkit[web]'")

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from toolkit.web.guard import COOKIE, Guard
from toolkit.web.sessions import Limits, Sessions

HOST = 'http://127.0.0.1:7860'


def client(tmp_path, **options):
    """A browser before an application that says whose request it is."""
    app = Starlette(routes=[Route('/{path:path}', lambda r: PlainTextResponse(
        f'{r.state.hvt_session.id} {r.cookies[COOKIE]}'), methods=['GET', 'POST', 'HEAD'])])
    return TestClient(Guard(app, Sessions(tmp_path / 'page', Limits()), **options), base_url=HOST)


def test_a_browser_gets_a_secret_once(tmp_path):
    browser = client(tmp_path)
    first = browser.get('/')
    assert browser.cookies[COOKIE] in first.text
    second = browser.get('/config')
    assert second.text == first.text and 'set-cookie' not in second.headers
    assert client(tmp_path).get('/').text != first.text


@pytest.mark.parametrize('path', ['/', '/hvt/status'])
def test_a_cookie_lasts_from_the_last_visit_as_the_files_do(tmp_path, path):
    browser = client(tmp_path)
    given = browser.get('/').headers['set-cookie']
    again = browser.get(path).headers['set-cookie']
    assert again == given and f'{COOKIE}={browser.cookies[COOKIE]}; ' in again and f'Max-Age={24 * 3600}' in again


def test_a_link_on_another_site_opens_the_same_session(tmp_path):
    given = client(tmp_path).get('/').headers['set-cookie']
    assert 'HttpOnly; SameSite=Lax; ' in given, 'Strict keeps the cookie back with a link, and the answer would replace it by a new one'


@pytest.mark.parametrize('path', [
    '/gradio_api/file=/etc/passwd', '/gradio_api/file=http://example.org/', '/gradio_api/proxy=http://example.org/',
    '/gradio_api/upload',
    '/gradio_api/runs', '/gradio_api/vibe-edit/', '/gradio_api/process_recording', '/gradio_api/run-history/connect', '/monitoring',
    '/docs', '/openapi.json', '/login', '/gradio_api/stream/x', '/gradio_api/component_server', '/assets/../../jobs.log',
    '/hvt/other', '/hvt/files/', '/gradio_api/custom_component/1/server/component/x'])
def test_only_what_the_page_needs_is_open(tmp_path, path):
    assert client(tmp_path).get(path).status_code == 404
    assert client(tmp_path).post(path).status_code == 404


@pytest.mark.parametrize('path', ['/', '/config', '/theme.css', '/assets/index-1.js', '/gradio_api/queue/join',
                                  '/gradio_api/run/generate', '/hvt/status', '/hvt/files/results/a/result.mp4'])
def test_what_the_page_needs_is_open(tmp_path, path):
    answer = client(tmp_path).get(path)
    assert answer.status_code == 200 and answer.headers['x-content-type-options'] == 'nosniff'
    rules = dict(rule.split(' ', 1) for rule in answer.headers['content-security-policy'].split('; '))
    assert not any('http' in places or '*' in places for places in rules.values()), 'a browser must load nothing from elsewhere'


def test_other_sites_cannot_use_a_local_server(tmp_path):
    browser = client(tmp_path)
    assert browser.get('/', headers=dict(host='evil.example')).status_code == 403
    assert browser.post('/hvt/upload', headers=dict(origin='http://evil.example')).status_code == 403
    assert browser.post('/hvt/upload', headers=dict(origin=HOST)).status_code == 200
    assert client(tmp_path, any_host=True).get('/', headers=dict(host='studio.example')).status_code == 200


@pytest.mark.parametrize('cookie', ['x', '../../etc', f'{COOKIE}=../..', f'{COOKIE}=', f'{COOKIE}={"A" * 43}', ';;;=', '\xff'])
def test_a_secret_that_is_not_ours_opens_nothing(tmp_path, cookie):
    answer = client(tmp_path).get('/', headers=[(b'cookie', cookie.encode('latin-1'))])
    assert answer.status_code == 200 and 'set-cookie' in answer.headers
    assert [p.name for p in (tmp_path / 'page').iterdir() if p.name not in ('sessions', 'examples')] == ['.hvt-web']
