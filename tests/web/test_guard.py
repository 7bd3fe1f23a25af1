"""The door of the page: which requests pass, and what browsers are told."""

import asyncio

import pytest

pytest.importorskip('gradio', reason="needs gradio: pip install 'human-video-toolkit[web]'")

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient

from toolkit.structures import InputError
from toolkit.web.guard import Guard
from toolkit.web.sessions import Limits, Sessions

HOST = 'http://127.0.0.1:7860'


async def live(socket):
    await socket.accept()
    await socket.close()


def client(tmp_path, host=HOST, **options):
    """A browser before an application that says whose request it is."""
    sessions = Sessions(tmp_path / 'page', Limits())
    app = Starlette(routes=[WebSocketRoute('/hvt/live', live), Route('/{path:path}', lambda r: PlainTextResponse(
        f'{r.state.hvt_session.id} {r.cookies[sessions.cookie]}'), methods=['GET', 'POST', 'HEAD'])])
    return TestClient(Guard(app, sessions, **options), base_url=host)


def cookie(browser):
    return browser.app.sessions.cookie


def test_a_browser_gets_a_secret_once(tmp_path):
    browser = client(tmp_path)
    first = browser.get('/')
    assert browser.cookies[cookie(browser)] in first.text
    second = browser.get('/config')
    assert second.text == first.text and 'set-cookie' not in second.headers
    assert client(tmp_path).get('/').text != first.text


@pytest.mark.parametrize('path', ['/', '/hvt/status'])
def test_a_cookie_lasts_from_the_last_visit_as_the_files_do(tmp_path, path):
    browser = client(tmp_path)
    given = browser.get('/').headers['set-cookie']
    again = browser.get(path).headers['set-cookie']
    assert again == given and f'{cookie(browser)}={browser.cookies[cookie(browser)]}; ' in again and f'Max-Age={24 * 3600}' in again


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


def test_a_proxy_gives_the_page_out_under_its_own_name_alone(tmp_path):
    """It sends the name that the browser asked for, and says that it was asked by https."""
    browser = client(tmp_path, 'https://page.example.org', name='Page.example.org')
    assert '; Secure' in browser.get('/').headers['set-cookie']
    assert browser.post('/hvt/upload', headers=dict(origin='https://page.example.org')).status_code == 200
    with browser.websocket_connect('wss://page.example.org/hvt/live', headers=dict(origin='https://page.example.org')):
        pass
    for name, ours in (('page.example.org:8443', True), ('localhost:7860', True), ('example.org', False), ('a.page.example.org', False),
                       ('', False)):
        assert (browser.get('/', headers=dict(host=name)).status_code == 200) == ours
    assert browser.post('/hvt/upload', headers=dict(origin='https://evil.example')).status_code == 403
    assert browser.post('/hvt/upload', headers=dict(origin='https://page.example.org', host='127.0.0.1:7860')).status_code == 403


def test_a_disk_that_is_full_turns_new_visitors_away_and_no_other(tmp_path, monkeypatch, capsys):
    known, browser = client(tmp_path), client(tmp_path)
    before = known.get('/').text

    def full(path):
        raise InputError(f'{path}: the disk is full')

    monkeypatch.setattr('toolkit.web.sessions.make_folder', full)
    answer = browser.get('/')
    assert answer.status_code == 507 and 'no room for a new visitor' in answer.text and str(tmp_path) not in answer.text
    assert 'the disk is full' in capsys.readouterr().err and known.get('/').text == before


@pytest.mark.parametrize('path, size', [
    ('/gradio_api/run/generate', 80_000), ('/gradio_api/queue/join', 80_000), ('/hvt/upload', 400_000)])
def test_a_request_without_end_is_not_read_to_its_end(tmp_path, path, size):
    """Gradio would hold all of it in memory; an upload is counted where it is written."""
    sent, read = iter([dict(type='http.request', body=bytes(40_000), more_body=number < 9) for number in range(10)]), []

    async def app(scope, receive, send):
        going_on = True
        while going_on and (message := await receive())['type'] == 'http.request':
            read.append(len(message['body']))
            going_on = message['more_body']

    async def receive():
        return next(sent)

    async def send(message):
        raise AssertionError(f'nobody answers: {message}')

    scope = dict(type='http', method='POST', path=path, headers=[(b'host', b'localhost')])
    asyncio.run(Guard(app, Sessions(tmp_path / 'page', Limits()))(scope, receive, send))
    assert sum(read) == size


@pytest.mark.parametrize('sent', ['x', '../../etc', '{}=../..', '{}=', '{}=' + 'A' * 43, ';;;=', '\xff'])
def test_a_secret_that_is_not_ours_opens_nothing(tmp_path, sent):
    browser = client(tmp_path)
    answer = browser.get('/', headers=[(b'cookie', sent.format(cookie(browser)).encode('latin-1'))])
    assert answer.status_code == 200 and 'set-cookie' in answer.headers
    assert [p.name for p in (tmp_path / 'page').iterdir() if p.name not in ('sessions', 'examples')] == ['.hvt-web']


@pytest.mark.parametrize('other', [
    'theme={"dark": true, "font": 3}', 'flag', 'a=b c', 'x[y]=1', 'quoted="open', '_xsrf=2|a|1', '\xff=1'])
def test_cookies_of_other_servers_of_the_machine_do_not_hide_ours(tmp_path, other):
    browser = client(tmp_path)
    first = browser.get('/').text
    ours = f'{cookie(browser)}={browser.cookies[cookie(browser)]}'
    browser.cookies.clear()
    for sent in (f'{other}; {ours}', f'{ours}; {other}'):
        assert browser.get('/config', headers=[(b'cookie', sent.encode('latin-1'))]).text == first


def test_two_servers_of_one_machine_do_not_take_each_others_visitors(tmp_path):
    one, other = client(tmp_path / 'one'), client(tmp_path / 'other')
    first = one.get('/').text
    one.cookies.update(other.get('/').cookies)  # one browser, which knows no ports
    assert one.get('/').text == first


def test_a_name_with_two_dots_is_given_out(tmp_path):
    assert client(tmp_path).get('/hvt/files/clips/IMG..1/found.mp4').status_code == 200
    assert client(tmp_path).get('/hvt/files/clips/%2e%2e/found.mp4').status_code == 404
