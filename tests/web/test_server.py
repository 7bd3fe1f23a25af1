"""The page over HTTP: uploads, handlers and files, as a browser, or somebody who writes requests by hand, would use them."""

import asyncio
import errno
import json
import shutil
import time
from types import SimpleNamespace

import pytest

pytest.importorskip('gradio', reason="needs gradio: pip install 'human-video-toolkit[web]'")

from starlette.testclient import TestClient

from tests.web.instant import Instant
from toolkit.structures import InputError
from toolkit.web import server as server_module
from toolkit.web.desk import BETWEEN, OWN, PICKED
from toolkit.web.server import Server, listen
from toolkit.web.sessions import Limits

HOST = 'http://localhost'
LIMITS = Limits(upload_mb=1, seconds=5, free_mb=0)


@pytest.fixture
def server(tmp_path, clips, monkeypatch):
    monkeypatch.setattr(server_module, 'Jobs', Instant)
    with Server(tmp_path / 'page', LIMITS) as server:
        for clip in clips:
            shutil.copytree(clip.folder, server.sessions.examples / clip.folder.name / clip.folder.name)
        server.jobs.go.set()
        yield server


def browser(server):
    client = TestClient(server.app, base_url=HOST)
    client.get('/')
    return client


def session(server, client):
    return server.sessions.open(client.cookies[server.sessions.cookie])[0]


def upload(client, content=b'video', **query):
    return client.post('/hvt/upload', params={'role': 'person', 'name': 'me.mp4', **query}, content=content)


def ended(client):
    for _ in range(200):
        if not client.get('/hvt/status').json()['busy']:
            return client.get('/hvt/status').json()['html']
        time.sleep(.02)
    raise AssertionError('the job did not end')


def ask(client, handler, *values):
    answer = client.post(f'/gradio_api/run/{handler}', json=dict(data=list(values)))
    return answer.status_code, json.dumps(answer.json())


def lists(client, *chosen, tab=None, handler='refresh'):
    """What the seven lists show in a tab, where so many of them were chosen in."""
    data = [*chosen, *[None] * (7 - len(chosen))]
    answer = client.post(f'/gradio_api/run/{handler}', json=dict(data=data, session_hash=tab))
    assert answer.status_code == 200, answer.text
    return [shown['value'] for shown in answer.json()['data'][:7]]


def test_a_server_that_starts_tidies_what_one_that_was_killed_left(tmp_path, monkeypatch):
    monkeypatch.setattr(server_module, 'Jobs', Instant)
    with Server(tmp_path / 'page', LIMITS) as server:
        folder = session(server, browser(server)).folder
        (folder / 'uploads' / '.0123.part').write_bytes(b'half')
    with Server(tmp_path / 'page', LIMITS):
        assert not [*(folder / 'uploads').iterdir()]


def test_an_upload_becomes_a_job_and_leaves_no_file(server):
    client = browser(server)
    answer = upload(client, b'x' * 1000, start='1.5')
    assert answer.json() == dict(name='me') and 'preparing me' in ended(client)
    job, = (job for job in server.jobs.ran if job.task == 'prepare')  # examples may be rendered before and after it
    assert job.task == 'prepare' and job.arguments['start'] == 1.5 and job.arguments['seconds'] == 5
    assert not list((session(server, client).folder / 'uploads').iterdir())


@pytest.mark.parametrize('query, content, said', [
    (dict(), b'', 'empty'), (dict(), bytes(1_100_000), 'at most 1 MB'), (dict(role='root'), b'x', 'an upload is one of'),
    (dict(start='-1'), b'x', '0 or later'), (dict(start='soon'), b'x', 'must be a number'), (dict(start='nan'), b'x', '0 or later')])
def test_uploads_that_cannot_be_are_refused_and_removed(server, query, content, said):
    client = browser(server)
    answer = upload(client, content, **query)
    assert answer.status_code == 400 and said in answer.json()['error']
    folder = session(server, client).folder
    assert not list((folder / 'uploads').iterdir()) and not list((folder / 'clips').iterdir())


def test_an_upload_that_lies_about_its_size_is_cut_off(server):
    client = browser(server)

    def endless():
        for _ in range(30):
            yield bytes(100_000)

    answer = client.post('/hvt/upload', params=dict(role='person', name='me.mp4'), content=endless())
    assert answer.status_code == 400 and 'at most 1 MB' in answer.json()['error']
    assert not list((session(server, client).folder / 'uploads').iterdir())


def test_an_upload_that_is_canceled_is_no_error_and_leaves_no_file(server):
    client, told = browser(server), []
    cookie = f'{server.sessions.cookie}={client.cookies[server.sessions.cookie]}'
    parts = iter([dict(type='http.request', body=b'half of it', more_body=True), dict(type='http.disconnect')])

    async def receive():
        return next(parts)

    async def send(message):
        told.append(message)

    scope = dict(type='http', method='POST', path='/hvt/upload', raw_path=b'/hvt/upload', query_string=b'role=person&name=me.mp4',
                 root_path='', scheme='http', http_version='1.1', headers=[(b'host', b'localhost'), (b'cookie', cookie.encode())])
    asyncio.run(server.app(scope, receive, send))
    assert told[0]['status'] == 400 and not list((session(server, client).folder / 'uploads').iterdir())


def test_an_upload_is_counted_once(server):
    client = browser(server)
    server.limits = server.sessions.limits = Limits(upload_mb=30, session_mb=40, free_mb=0)
    assert upload(client, bytes(26_000_000)).json() == dict(name='me')
    server.limits = server.sessions.limits = Limits(upload_mb=30, session_mb=20, free_mb=0)
    assert 'more than 20 MB' in client.post(
        '/hvt/upload', params=dict(role='person', name='me.mp4'), content=(bytes(1_000_000) for _ in range(26))).json()['error']


def test_a_disk_that_fills_up_is_said(server, monkeypatch):
    client = browser(server)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: shutil._ntuple_diskusage(10, 10, -1))
    assert 'nearly full' in upload(client).json()['error']


def test_a_disk_that_is_full_before_a_file_has_come_is_said_in_the_words_of_the_page(server, monkeypatch):
    client = browser(server)

    async def full(work, *values):
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(server_module, 'to_thread', SimpleNamespace(run_sync=full))
    answer = upload(client)
    assert answer.status_code == 507 and answer.json()['error'].startswith('me.mp4: the disk of the server is full; remove')
    assert not list((session(server, client).folder / 'uploads').iterdir())


def test_pictures_of_clothes_are_in_the_list_of_what_can_be_removed(server):
    client = browser(server)
    for name in ('blue.jpg', 'red.jpg'):
        assert upload(client, role='clothes', name=name).json() == dict(name=name)
    for what, chosen, count, value in (
            ('picture of clothes', None, 2, 'blue.jpg'), ('picture of clothes', 'red.jpg', 2, 'red.jpg'), ('video', 'red.jpg', 0, None),
            ('clip', None, 0, None), ('fine-tuned generator', None, 0, None)):
        listed = client.post('/gradio_api/run/removable', json=dict(data=[what, chosen])).json()['data'][0]
        assert (len(listed['choices']), listed['value']) == (count, value)
    for name in ('blue.jpg', 'red.jpg'):
        assert ask(client, 'delete', 'picture of clothes', name)[0] == 200
    assert not session(server, client).clothes()


def test_a_picture_of_clothes_that_has_just_come_is_chosen(server):
    client = browser(server)
    for name in ('red.jpg', 'blue.jpg'):
        assert upload(client, role='clothes', name=name).json() == dict(name=name)
        assert f'uploading {name}</b> <span class="hvt-done">done' in client.get('/hvt/status').json()['html']
        assert lists(client, None, None, 'red.jpg')[2] == name
    assert lists(client, None, None, 'red.jpg')[2] == 'red.jpg', 'what the visitor has chosen since'


def test_who_presses_remove_twice_removes_one(server):
    client = browser(server)
    own = session(server, client)
    for name in ('walk', 'kick'):
        own.new_folder('results', name, {})
    assert ask(client, 'delete', 'video', 'walk')[0] == 200
    chosen = 'walk'
    for _ in range(2):  # when it is removed, and when the lists are filled anew
        chosen = client.post('/gradio_api/run/removable', json=dict(data=['video', chosen])).json()['data'][0]['value']
        status, said = ask(client, 'delete', 'video', chosen)
        assert status == 500 and 'choose what to remove first' in said
    assert list(own.results()) == ['kick']


def generate_values(person, movement, way=OWN, **more):
    return [person, movement, None, more.get('seconds', 1), 'small and quick', way, False, '#c03030', False, '#2040a0', None,
            'both garments', '#30a040', '#c0a020']


def test_handlers_work_for_the_visitor_of_the_cookie_alone(server, clips):
    one, other = browser(server), browser(server)
    own = session(server, one)
    shutil.copytree(clips[0].folder, own.folder / 'clips' / 'secret' / 'secret')
    status, said = ask(one, 'generate', *generate_values('secret', 'secret'))
    assert status == 200 and 'generating secret_secret' in ended(one)
    (own.folder / 'results' / 'secret_secret' / 'result.mp4').write_bytes(b'12345678')
    (own.folder / 'results' / 'secret_secret' / 'about.json').write_text('{}')
    assert one.get('/hvt/files/results/secret_secret/result.mp4').content == b'12345678'
    assert one.get('/hvt/files/results/secret_secret/result.mp4', headers=dict(range='bytes=2-3')).content == b'34'
    for path in ('secret_secret', f'../../{own.id}/results/secret_secret', f'..%2f..%2f{own.id}%2fresults%2fsecret_secret'):
        assert other.get(f'/hvt/files/results/{path}/result.mp4').status_code == 404
    for handler, values in (('generate', generate_values('secret', 'secret')), ('finetune', ['secret', 8]), ('go_on', ['secret_tuned']),
                            ('delete', ['video', 'secret_secret']), ('show_compare', ['secret_secret', 'secret_secret'])):
        status, said = ask(other, handler, *values)
        assert status == 500 and any(word in said for word in ('no clip', 'no model', 'nothing of yours', 'no video')), handler
    assert 'secret' not in ask(other, 'refresh', *[None] * 7)[1]
    assert 'secret_secret' in ask(one, 'refresh', *[None] * 7)[1]


def test_gradio_gets_no_long_request(server):
    client = browser(server)
    assert ask(client, 'generate', *generate_values('x' * 50_000, None))[0] == 500
    assert ask(client, 'generate', *generate_values('x' * 150_000, None))[0] == 400


@pytest.mark.parametrize('boxes, looks', [((True, False), ('#c03030,', '#30a040,')), ((False, True), (',#2040a0', ',#c0a020'))])
def test_a_garment_that_is_switched_off_keeps_its_color_in_both_looks(server, clips, boxes, looks):
    client = browser(server)
    example, values = next(iter(session(server, client).clips())), generate_values(None, None, BETWEEN)
    values[0] = values[1] = example
    values[6], values[8] = boxes
    assert ask(client, 'generate', *values)[0] == 200 and 'done' in ended(client)
    job = server.jobs.latest(session(server, client).id)
    assert job.arguments['colors'] == dict(interpolate=looks) and job.arguments['longest'] == 5


def test_a_generator_that_has_just_come_is_chosen(server, clips, monkeypatch):
    monkeypatch.setattr('toolkit.web.work.least_frames', lambda: 4)
    client = browser(server)
    own = session(server, client)
    shutil.copytree(clips[0].folder, own.folder / 'clips' / 'mine' / 'mine')
    server.jobs.go.clear()
    assert ask(client, 'finetune', 'mine', 8)[0] == 200
    run = own.folder / 'models' / 'mine_tuned' / 'run'
    run.mkdir()
    (run / 'best_ssim_full_iter_0000004.pth').touch()
    server.jobs.go.set()
    ended(client)
    lists = client.post('/gradio_api/run/refresh', json=dict(data=[None] * 7)).json()['data']
    assert lists[3]['value'] == lists[6]['value'] == 'mine_tuned'


def test_both_of_two_uploads_are_chosen(server):
    client = browser(server)
    server.jobs.go.clear()
    for role in ('person', 'movement'):
        assert upload(client, role=role, name=f'{role}.mp4').status_code == 200
    rooms = session(server, client).folder / 'clips'
    for role, clip in zip(('person', 'movement'), sorted(server.sessions.examples.iterdir())):
        shutil.copytree(clip / clip.name, rooms / role / role)
    server.jobs.go.set()
    said = ended(client)
    assert 'preparing person' in said and 'preparing movement' in said
    person, movement = client.post('/gradio_api/run/refresh', json=dict(data=[None] * 7)).json()['data'][:2]
    assert (person['value'], movement['value']) == ('person', 'movement')


def test_what_has_just_come_is_chosen_once_in_each_tab(server):
    client = browser(server)
    own, before = session(server, client), ['movement of old', 'old']
    own.new_folder('results', 'old', {})
    example = next(iter(own.clips()))
    assert ask(client, 'generate', *generate_values(example, example))[0] == 200 and 'done' in ended(client)
    name = server.jobs.latest(own.id).value
    (own.folder / 'results' / name / 'about.json').write_text('{}')
    for tab in ('one', 'other'):
        assert lists(client, *[None] * 4, *before, tab=tab)[4:6] == [f'movement of {name}', name]
        assert lists(client, *[None] * 4, *before, tab=tab)[4:6] == before, 'what the visitor has chosen since'
    assert lists(client, *[None] * 4, *before, tab='later', handler='opened')[4:6] == before
    assert lists(client, *[None] * 4, *before, tab='later')[4:6] == before


@pytest.mark.parametrize('right, left', [('walk', 'movement of walk'), ('movement of walk', 'walk')])
def test_a_video_that_was_removed_gives_its_place_to_the_other_one_of_what_is_beside_it(server, right, left):
    client = browser(server)
    session(server, client).new_folder('results', 'walk', {})
    for gone in ('removed', 'movement of removed', ''):
        assert lists(client, *[None] * 4, gone, right)[4:6] == [left, right]
    assert lists(client, *[None] * 4, left, 'removed')[4:6] == [left, 'walk']


@pytest.mark.parametrize('values, said', [
    (generate_values(None, None), 'choose a clip first'), (generate_values('../..', 'x'), "no clip"),
    (generate_values('E', 'E', PICKED), 'switch on'), (generate_values('E', 'E', seconds=99), 'greater than maximum value 5'),
    (generate_values('<img src=x>', 'x'), '&lt;img')])
def test_what_cannot_be_made_is_said(server, values, said):
    client = browser(server)
    example = next(iter(session(server, client).clips()))
    status, answer = ask(client, 'generate', *[example if value == 'E' else value for value in values])
    assert status == 500 and said in answer and 'Traceback' not in answer


def test_refresh_fills_the_lists_of_a_new_visitor(server):
    answer = browser(server).post('/gradio_api/run/refresh', json=dict(data=[None] * 7)).json()['data']
    person, movement = answer[:2]
    assert person['value'].startswith('example: ') and movement['value'] != person['value'] and len(person['choices']) == 2


def test_one_server_a_folder(server):
    with pytest.raises(InputError, match='another server uses this folder'), Server(server.sessions.root, LIMITS):
        pass


@pytest.mark.parametrize('name, options, words', [
    ('https://page.example.org', {}, 'without https:// and port'), ('page.example.org:443', {}, 'without https:// and port'),
    ('', {}, 'expected a name'), ('page.example.org', dict(any_host=True), '--name is for a proxy on this machine')])
def test_a_name_of_a_proxy_that_cannot_be(tmp_path, name, options, words):
    with pytest.raises(InputError, match=words):
        Server(tmp_path / 'page', LIMITS, name=name, **options)


def test_a_port_that_is_taken_is_said():
    with listen('127.0.0.1', 0) as first, pytest.raises(InputError, match='cannot listen on 127.0.0.1 port .*choose another --port'):
        listen('127.0.0.1', first.getsockname()[1])


def test_nobody_is_chosen_to_move_like_themselves(server):
    for folder in sorted(server.sessions.examples.iterdir())[1:]:
        shutil.rmtree(folder)
    client = browser(server)
    person, movement = client.post('/gradio_api/run/refresh', json=dict(data=[None] * 7)).json()['data'][:2]
    assert person['value'].startswith('example: ') and movement['value'] is None
