"""Visitors of the page: whose files are whose, what names do, how much there may be, and when it goes."""

import dataclasses
import errno
import multiprocessing
import os
import re
import shutil
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.web.instant import Instant
from toolkit.files import writing_error
from toolkit.structures import InputError
from toolkit.web import sessions, work
from toolkit.web.desk import BETWEEN, EXAMPLES, LATER, LIKE, OWN, PICKED, PRETRAINED_NAME, Desk, hex_color
from toolkit.web.html import before_after
from toolkit.web.jobs import DONE, FAILED, RUNNING, STOPPED, WAITING, Job, Jobs
from toolkit.web.sessions import Limits, Sessions


@pytest.fixture
def desk(tmp_path, clips, monkeypatch):
    monkeypatch.setattr(work, 'least_frames', lambda: 4)
    limits = Limits(upload_mb=1, session_mb=2, free_mb=0, seconds=5, waiting=3)
    jobs = Instant(limits, tmp_path / 'page' / 'jobs.log')
    desk = Desk(Sessions(tmp_path / 'page', limits), jobs)
    for clip in clips:
        shutil.copytree(clip.folder, desk.sessions.examples / clip.folder.name / clip.folder.name)
    yield desk
    jobs.close()


def visitor(desk):
    return desk.sessions.open(None)[0]


def uploaded(desk, session, name='me.mp4', role='person'):
    part = session.folder / 'uploads' / '.x.part'
    part.write_bytes(b'video')
    return desk.take_upload(session, role, part, name)


def with_clip(desk, session, clips, name='mine'):
    shutil.copytree(clips[0].folder, session.folder / 'clips' / name / name)
    return name


def test_a_browser_is_known_by_its_secret_alone(desk):
    session, token = desk.sessions.open(None)
    assert token and desk.sessions.open(token)[0].folder == session.folder and desk.sessions.open(token)[1] is None
    assert token not in str(session.folder), 'who reads the names of folders must not be able to come as somebody else'
    for wrong in (session.id, token[:-1] + ('A' if token[-1] != 'A' else 'B'), '../' * 14 + 'x', '', 'x' * 43):
        other, fresh = desk.sessions.open(wrong)
        assert fresh and other.folder != session.folder


def test_nothing_of_another_visitor_can_be_named(desk, clips):
    one, other = visitor(desk), visitor(desk)
    name = with_clip(desk, one, clips)
    assert one.clip(name).folder.is_dir()
    movement = next(n for n in other.clips() if n.startswith('example: '))
    for wrong in (name, f'../../{one.id}/clips/{name}', str(one.clip(name).folder), '', None, '.', 'example: ..'):
        with pytest.raises(InputError, match='choose a clip|no clip'):
            desk.generate(other, wrong, movement, None, 1, True, {}, '')
        with pytest.raises(InputError):
            desk.finetune(other, wrong, 4)
        with pytest.raises(InputError):
            other.delete('clips', wrong)
    with pytest.raises(InputError, match='no model'):
        desk.generate(other, movement, movement, '../x', 1, True, {}, '')
    assert one.clip(name).folder.is_dir()


@pytest.mark.parametrize('path', [
    '../{other}/results/a/result.mp4', 'results/../../{other}/results/a/result.mp4', 'results/a/../../uploads/x.mp4', 'uploads/x.mp4',
    '/etc/passwd', 'results//etc/passwd', 'results/a/link.mp4', 'results/a/.hidden.mp4', 'results/a/about.json', 'examples/../jobs.log',
    'results/a/result.mp4\0', 'results\\a\\result.mp4', 'results', '', f'results/{"a" * 300}/result.mp4'])
def test_paths_lead_to_own_files_only(desk, path):
    session, other = visitor(desk), visitor(desk)
    for who in (session, other):
        folder = who.new_folder('results', 'a', {})
        for name in ('result.mp4', '.hidden.mp4'):
            (folder / name).write_bytes(b'1')
        (who.folder / 'uploads' / 'x.mp4').write_bytes(b'1')
        (folder / 'link.mp4').symlink_to('/etc/hostname')
    assert session.served('results/a/result.mp4')[1] == 'video/mp4'
    assert session.served(path.format(other=other.id)) is None


@pytest.mark.parametrize('name, kept', [
    ('../../../etc/cron.d/x.mp4', 'x'), ('C:\\Users\\me\\dance.mp4', 'dance'), ('a b<script>.mp4', 'a_b_script_'), ('..', 'upload'),
    ('.hidden', 'hidden'), ('x' * 500 + '.mp4', 'x' * 60), ('\0\n.mp4', '__'), ('我.mp4', '我'), ('', 'upload')])
def test_names_of_files_are_made_plain(desk, name, kept):
    session = visitor(desk)
    made = uploaded(desk, session, name)
    assert made == kept and [p.name for p in (session.folder / 'clips').iterdir()] == [kept]
    everything = {p.relative_to(desk.sessions.root).parts[0] for p in desk.sessions.root.rglob('*')}
    assert everything <= {'examples', 'sessions', '.hvt-web'}


@pytest.mark.parametrize('name, suffix', [
    ('字' * 80 + '.jpg', '.jpg'), ('x' * 200 + '.jpg', '.jpg'), ('é' * 95 + '.MP4', '.MP4'), ('a.b c', '.b_c'), ('a', ''), ('a.', '')])
def test_a_long_name_keeps_its_suffix(desk, name, suffix):
    session = visitor(desk)
    uploaded(desk, session, name)
    assert Path(desk.jobs.latest(session.id).arguments['video']).suffix == suffix


def test_files_that_are_on_their_way_count(desk):
    session = visitor(desk)
    for number in range(4):
        desk.check_upload(session, 'person', 5)
        (session.folder / 'uploads' / f'.{number}.person.part').touch()
    with pytest.raises(InputError, match='one thing at a time: files are on their way'):
        desk.check_upload(session, 'movement', 5)
    desk.check_upload(session, 'clothes', 5)


def test_pictures_of_clothes_have_an_end(desk):
    session = visitor(desk)
    for _ in range(50):
        desk.check_upload(session, 'clothes', 5)
        uploaded(desk, session, 'red.jpg', 'clothes')
    with pytest.raises(InputError, match='50 pictures of clothes are as many as there may be; remove some in the gallery'):
        desk.check_upload(session, 'clothes', 5)


def test_a_message_names_no_folder_of_the_server(desk):
    said = desk.words(visitor(desk), 'no weights in /root/.cache/toolkit/weights; see http://a.org/b/c')
    assert said == 'no weights in weights; see http://a.org/b/c'


def test_equal_names_get_a_number(desk):
    session, names = visitor(desk), []
    desk.jobs.go.set()
    for _ in range(3):
        names.append(uploaded(desk, session))
        desk.jobs.wait(desk.jobs.latest(session.id))
    assert names == ['me', 'me_2', 'me_3']
    assert [uploaded(desk, session, 'red.jpg', 'clothes') for _ in range(2)] == ['red.jpg', 'red_2.jpg']


@pytest.mark.parametrize('role, size, said', [
    ('person', 2_000_000, 'at most 1 MB'), ('admin', 10, 'an upload is one of'), ('person', 900_000, 'remove some in the gallery')])
def test_uploads_that_are_too_much_are_refused(desk, role, size, said):
    session = visitor(desk)
    (session.folder / 'uploads' / 'old.bin').write_bytes(bytes(1_500_000))
    with pytest.raises(InputError, match=said):
        desk.check_upload(session, role, size)
    desk.check_upload(session, 'person', 100_000)


def test_a_full_disk_is_said_and_nothing_is_lost(desk, monkeypatch, clips):
    session = visitor(desk)
    name = with_clip(desk, session, clips)
    monkeypatch.setattr(shutil, 'disk_usage', lambda _: shutil._ntuple_diskusage(10, 10, -1))
    for ask in (lambda: desk.check_upload(session, 'person', 1), lambda: desk.finetune(session, name, 4),
                lambda: desk.generate(session, name, name, None, 1, True, {}, '')):
        with pytest.raises(InputError, match='disk of the server is nearly full; nothing of yours is lost'):
            ask()
    assert session.clip(name) and not session.results() and not session.models()


def test_one_thing_at_a_time_and_a_queue_with_an_end(desk, clips):
    visitors = [visitor(desk) for _ in range(6)]
    for number, session in enumerate(visitors):
        with_clip(desk, session, clips)
        if number < 4:  # one runs, three wait
            desk.generate(session, 'mine', 'mine', None, 1, True, {}, '')
    with pytest.raises(InputError, match='one thing at a time'):
        desk.generate(visitors[1], 'mine', 'mine', None, 1, True, {}, '')
    with pytest.raises(InputError, match='3 jobs of others are waiting'):
        desk.check_upload(visitors[0], 'person', 1)
    with pytest.raises(InputError, match='3 jobs of others are waiting'):
        desk.generate(visitors[4], 'mine', 'mine', None, 1, True, {}, '')
    assert not list((visitors[4].folder / 'results').iterdir()), 'what was refused leaves nothing'
    assert [desk.jobs.place(desk.jobs.latest(s.id)) for s in visitors[1:4]] == [0, 1, 2]
    assert '2 jobs are before it' in desk.status(visitors[3])['html']
    assert desk.jobs.cancel(visitors[2].id).state == STOPPED and desk.jobs.cancel(visitors[5].id) is None
    desk.jobs.go.set()
    for session in (visitors[0], visitors[1], visitors[3]):
        assert desk.jobs.wait(desk.jobs.latest(session.id), 10).state == DONE
    assert [job.session for job in desk.jobs.ran] == [visitors[i].id for i in (0, 1, 3)]


def test_a_file_that_has_come_waits_behind_what_its_visitor_has_already(desk, clips):
    desk.limits = desk.jobs.limits = dataclasses.replace(desk.limits, waiting=9)
    session, other = visitor(desk), visitor(desk)
    with_clip(desk, session, clips), with_clip(desk, other, clips)
    for role in ('person', 'movement'):  # the second comes while the first is prepared: both were looked at before
        desk.check_upload(session, role, 5)
    uploaded(desk, session, 'me.mp4', 'person'), uploaded(desk, session, 'dance.mp4', 'movement')
    first, second = desk.jobs.of(session.id)
    with pytest.raises(InputError, match='one thing at a time: "preparing me"'):
        desk.generate(session, 'mine', 'mine', None, 1, True, {}, '')
    status = desk.status(session)
    assert status['busy'] and status['html'].index('preparing me') < status['html'].index('preparing dance</b> <span>waiting')
    for number in range(2):
        uploaded(desk, session, f'{number}.mp4', 'person')
    with pytest.raises(InputError, match='one thing at a time'):
        desk.check_upload(session, 'person', 5)
    for _ in range(3):
        assert desk.jobs.cancel(session.id) is first
    assert first.stopping and second.state == WAITING, 'who presses again while it stops throws nothing away'
    desk.jobs.go.set()
    desk.jobs.wait(desk.jobs.latest(session.id), 10)
    assert [job.state for job in desk.jobs.of(session.id)][1:] == [DONE, DONE, DONE] and not desk.status(session)['busy']
    running = desk.generate(session, 'mine', 'mine', None, 1, True, {}, '')
    assert desk.jobs.of(session.id) == [running], 'what has ended long ago is not shown for ever'


def test_pictures_that_come_while_a_job_runs_are_said_beside_it(desk, clips):
    session = visitor(desk)
    with_clip(desk, session, clips)
    running = desk.generate(session, 'mine', 'mine', None, 1, True, {}, '')
    for _ in range(20):
        uploaded(desk, session, 'red.jpg', 'clothes')
    jobs, status = desk.jobs.of(session.id), desk.status(session)
    assert jobs[0] is running and [job.value for job in jobs[1:]] == [f'red_{number}.jpg' for number in range(12, 21)]
    assert status['busy'] and 'uploading red_20.jpg</b> <span class="hvt-done">done' in status['html']
    assert len({job.number for job in jobs}) == len(jobs)


def test_jobs_of_a_visitor_never_run_at_the_same_time(desk, clips):
    jobs = Instant(Limits(jobs=2), desk.jobs.log)
    try:
        desk.jobs, session, other = jobs, visitor(desk), visitor(desk)
        with_clip(desk, other, clips)
        uploaded(desk, session), uploaded(desk, session)
        waits, runs = jobs.latest(session.id), desk.generate(other, 'mine', 'mine', None, 1, True, {}, '')
        assert (waits.state, runs.state) == (WAITING, RUNNING)
    finally:
        jobs.close()


def test_visitors_who_come_at_the_same_time_get_a_folder_each(desk, monkeypatch):
    session, exists = visitor(desk), Path.exists

    def slow(path):
        found = exists(path)
        barrier.wait(5)
        return found

    barrier, folders = threading.Barrier(2), []
    with suppress(threading.BrokenBarrierError), monkeypatch.context() as patch:
        patch.setattr(Path, 'exists', slow)
        threads = [threading.Thread(target=lambda: folders.append(session.new_folder('results', 'a'))) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(folder.name for folder in folders) == ['a', 'a_2']


def test_what_failed_or_was_stopped_leaves_nothing_and_names_no_folder(desk, clips):
    session = visitor(desk)
    with_clip(desk, session, clips)
    desk.jobs.end = FAILED
    desk.jobs.go.set()
    uploaded(desk, session, 'bad.mp4')
    job = desk.jobs.wait(desk.jobs.latest(session.id), 10)
    assert job.state == FAILED and str(desk.sessions.root) not in desk.status(session)['html']
    assert job.error == 'sessions/x: it failed; try again'
    assert list(session.clips())[0] == 'mine' and not list((session.folder / 'uploads').iterdir())
    desk.jobs.go.clear()
    running = desk.generate(session, 'mine', 'mine', None, 1, True, {}, '')
    desk.jobs.cancel(session.id)
    assert desk.jobs.wait(running, 10).state == STOPPED and not list((session.folder / 'results').iterdir())


def test_files_go_some_time_after_the_last_visit_but_not_while_a_job_runs(desk, clips):
    gone, busy, fresh = (visitor(desk) for _ in range(3))
    with_clip(desk, busy, clips)
    desk.generate(busy, 'mine', 'mine', None, 1, True, {}, '')
    for session in (gone, busy):
        os.utime(session.folder, (1, 1))
    assert desk.clean() == [gone.id]
    assert not gone.folder.exists() and busy.folder.exists() and fresh.folder.exists()


def test_a_session_without_files_goes_after_an_hour(desk, clips):
    """What watches a server asks without a cookie, and opens a session each time."""
    empty, used, fresh = (visitor(desk) for _ in range(3))
    with_clip(desk, used, clips)
    (fresh.folder / 'uploads' / '.video.part').write_bytes(b'half')
    for session, hours in ((empty, 1.1), (used, 23.9), (fresh, 1.1)):
        os.utime(session.folder, (time.time() - 3600 * hours,) * 2)
    assert desk.clean() == [empty.id] and used.folder.exists() and fresh.folder.exists()


def test_a_long_log_of_jobs_begins_anew(desk, tmp_path, monkeypatch):
    monkeypatch.setattr('toolkit.web.jobs.LONGEST_LOG', 4)
    jobs, log = Jobs(Limits(), tmp_path / 'jobs.log'), tmp_path / 'jobs.log'
    jobs._turn_log()
    for text in ('old', 'long enough', 'new'):
        log.write_text(text)
        jobs._turn_log()
    assert log.read_text() == 'new' and log.with_name('jobs.log.1').read_text() == 'long enough'


def test_what_fails_when_a_job_has_ended_does_not_end_the_queue(tmp_path, monkeypatch, capsys):
    jobs = Jobs(Limits(), tmp_path / 'jobs.log')
    monkeypatch.setattr(jobs, '_run', lambda job: DONE)

    def fails(job, state):
        raise ZeroDivisionError

    first = jobs.wait(jobs.submit(Job('me', 'example', {}, 'x', then=fails)), 20)
    second = jobs.wait(jobs.submit(Job('you', 'example', {}, 'x')), 20)
    jobs.close()
    assert first.state == second.state == DONE and 'ZeroDivisionError' in capsys.readouterr().err


def test_a_result_is_listed_when_all_of_it_is_there(desk):
    session = visitor(desk)
    folder = session.new_folder('results', 'walk')
    (folder / 'result.mp4').write_bytes(b'video')
    assert not session.results()
    (folder / 'about.json').write_text('{"person": "me"}')
    assert session.results()['walk']['person'] == 'me'


def test_nobody_comes_back_to_half_of_a_session(desk, monkeypatch):
    session, token = desk.sessions.open(None)
    os.utime(session.folder, (1, 1))

    def killed(folder):
        shutil.rmtree(folder / 'uploads')
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(sessions, 'shutil', SimpleNamespace(rmtree=killed))
        desk.clean()
    assert not desk.sessions.knows(token)
    other = visitor(desk)
    assert desk.clean() == [] and [p.name for p in (desk.sessions.root / 'sessions').iterdir()] == [other.id]


def test_pictures_of_clothes_count_and_can_be_removed(desk):
    session, other = visitor(desk), visitor(desk)
    names = [uploaded(desk, session, name, 'clothes') for name in ('red.jpg', 'blue.jpg')]
    (session.prepared / 'red-0123').mkdir(parents=True)
    (session.prepared / 'red-0123' / 'frame.png').write_bytes(bytes(2_000_000))
    with pytest.raises(InputError, match='remove some in the gallery'):
        desk.check_upload(session, 'clothes', 5)
    for who, wrong in ((other, 'red.jpg'), (session, '.prepared'), (session, '../../jobs.log'), (session, ''), (session, 'green.jpg')):
        with pytest.raises(InputError):
            who.delete('uploads', wrong)
    assert session.clothes() == sorted(names) and session.prepared.is_dir()
    session.delete('uploads', 'red.jpg')
    assert session.clothes() == ['blue.jpg'] and session.size() < 100
    desk.check_upload(session, 'clothes', 5)


def test_what_is_said_of_a_full_disk_names_no_folder_and_leaves_nothing(desk, clips, monkeypatch):
    session = visitor(desk)
    with_clip(desk, session, clips)

    def full(path, content):
        raise writing_error(path, OSError(errno.ENOSPC, 'No space left on device'))

    monkeypatch.setattr(sessions, 'write_json', full)
    with pytest.raises(InputError) as error:
        desk.finetune(session, 'mine', 8)
    assert desk.words(session, error.value) == ('models/mine_tuned/about.json: the disk of the server is full; remove what you do not '
                                                'need in the gallery, or come back later')
    assert not session.models(), 'it could not go on, for nobody knows with what'


def test_what_a_server_left_unfinished_that_was_killed_goes_at_the_next_start(desk, clips):
    """It counts as the visitor's, who does not see it and so could not remove it."""
    session = visitor(desk)
    with_clip(desk, session, clips, 'whole')
    (session.folder / 'clips' / 'whole' / 'report.html').touch()
    for name, last in (('done', 'about.json'), ('cut_off', 'result.mp4')):
        (session.new_folder('results', name) / last).write_text('{}')
    session.new_folder('models', 'stopped', dict(person='whole'))
    (session.folder / 'uploads' / 'red.jpg').write_bytes(b'red')
    kept = sorted(p for p in session.folder.rglob('*') if 'cut_off' not in p.parts)
    (session.folder / 'uploads' / '.0123.part').write_bytes(b'half')
    uploaded(desk, session)
    (session.folder / 'clips' / 'me' / '.me.partial').mkdir()
    session.new_folder('models', 'no_name_yet')
    desk.sessions.tidy()
    assert sorted(session.folder.rglob('*')) == kept


def test_a_folder_of_others_is_not_used(tmp_path):
    (tmp_path / 'mine.txt').write_text('mine')
    with pytest.raises(InputError, match='holds what was not made here.*--work-dir'):
        Sessions(tmp_path, Limits())
    assert (tmp_path / 'mine.txt').read_text() == 'mine'


@pytest.mark.parametrize('limit', [
    dict(upload_mb=0), dict(seconds=-1), dict(jobs=0), dict(hours=float('nan')), dict(hours=float('inf')),
    dict(seconds=float('inf'))])
def test_limits_must_make_sense(limit):
    with pytest.raises(InputError, match='must be positive'):
        Limits(**limit)


@pytest.mark.parametrize('picked, color', [
    ('#C03030', '#c03030'), ('#c03030ff', '#c03030'), ('#f00', '#ff0000'), ('rgba(192, 48.2, 48, 1)', '#c03030'),
    ('rgb(300,0,0)', '#ff0000'), ('', None), (None, None)])
def test_colors_of_pickers(picked, color):
    assert hex_color(picked) == color


@pytest.mark.parametrize('wish, said', [
    (dict(way=PICKED), 'switch on'), (dict(way=PICKED, up='red'), 'not a color'),
    (dict(way=LIKE, like='../x.jpg'), 'upload a picture'),
    (dict(way=BETWEEN), 'switch on'), (dict(way=BETWEEN, up='#111111', down='#222222', up_2='#111111', down_2='#222222'), 'the same'),
    (dict(way='naked'), 'expected one')])
def test_clothes_that_cannot_be(desk, wish, said):
    with pytest.raises(InputError, match=said):
        desk.colors(visitor(desk), **wish)


def test_clothes_that_can(desk):
    session = visitor(desk)
    name = uploaded(desk, session, 'friend.jpg', 'clothes')
    assert desk.colors(session, OWN) == ({}, '')
    assert desk.colors(session, PICKED, up='#C03030')[0] == dict(up='#c03030', down=None)
    assert desk.colors(session, LIKE, like=name, regions='up')[0] == dict(like=str(session.folder / 'uploads' / name), regions='up')
    wish, _ = desk.colors(session, BETWEEN, '#111111', None, None, 'both', '#222222', None)
    assert wish == dict(interpolate=('#111111,', '#222222,'))


@pytest.mark.parametrize('seconds', [0, -1, 6, float('nan'), float('inf')])
def test_lengths_beyond_the_limit_are_refused(desk, clips, seconds):
    session = visitor(desk)
    with_clip(desk, session, clips)
    with pytest.raises(InputError, match='at most 5 seconds'):
        desk.generate(session, 'mine', 'mine', PRETRAINED_NAME, seconds, True, {}, '')


def test_a_fine_tuning_goes_on_where_it_stopped(desk, clips):
    session = visitor(desk)
    with_clip(desk, session, clips)
    job = desk.finetune(session, 'mine', 8)
    desk.jobs.cancel(session.id)
    assert desk.jobs.wait(job, 10).state == STOPPED and not job.arguments['resume']
    name, = session.models()
    with pytest.raises(InputError, match='no checkpoint yet'):
        desk.generate(session, 'mine', 'mine', name, 1, True, {}, '')
    run = session.model(name)['folder'] / 'run'
    run.mkdir()
    for file in ('best_lpips_iter_4.pth', 'iter_6.pth'):  # of a kill; and of a stop
        (run / file).touch()
        again = desk.go_on(session, name)
        assert again.arguments == dict(job.arguments, resume=True), file
        desk.jobs.cancel(session.id)
        desk.jobs.wait(again, 10)
    (run / 'iter_8.pth').touch()
    with pytest.raises(InputError, match='mine_tuned has done all of its 8 iterations'):
        desk.go_on(session, name)
    with pytest.raises(InputError, match='no model'):
        desk.go_on(visitor(desk), name)


def test_a_fine_tuning_does_not_go_on_with_another_clip_of_the_same_name(desk, clips):
    """Whatever is filmed has one name, whoever it shows."""
    session = visitor(desk)
    with_clip(desk, session, clips, 'filmed')
    job = desk.finetune(session, 'filmed', 8)
    desk.jobs.cancel(session.id)
    desk.jobs.wait(job, 10)
    session.delete('clips', 'filmed')
    assert uploaded(desk, session, 'filmed.webm') == 'filmed_2'
    with pytest.raises(InputError, match='the clip of filmed_tuned was removed'):
        desk.go_on(session, 'filmed_tuned')
    session.delete('models', 'filmed_tuned')
    assert session.new_folder('clips', 'filmed').name == 'filmed'


def test_a_fine_tuned_generator_can_be_used_and_downloaded(desk, clips):
    session = visitor(desk)
    with_clip(desk, session, clips)
    job = desk.finetune(session, 'mine', 8)
    best = Path(job.arguments['work_dir']) / 'best_ssim_full_iter_0000004.pth'
    best.parent.mkdir()
    best.touch()
    desk.jobs.go.set()
    name = desk.jobs.wait(job, 10).value
    assert name == 'mine_tuned' and session.model(name)['best'] == best
    link = re.search('href="/hvt/files/([^"]+)"', before_after(session.model(name)))[1]
    assert session.served(link) == (best, 'application/octet-stream')
    assert desk.generate(session, 'mine', 'mine', name, 1, True, {}, '').arguments['checkpoint'] == str(best)


def test_a_clip_that_is_too_short_to_learn_from_is_refused_at_once(desk, clips, monkeypatch):
    session = visitor(desk)
    with_clip(desk, session, clips)
    monkeypatch.setattr(work, 'least_frames', lambda: 5)
    with pytest.raises(InputError, match='mine has 4 frames, .* at least 5 are needed.*Choose a longer video'):
        desk.finetune(session, 'mine', 8)
    assert not session.models() and desk.jobs.latest(session.id) is None


def test_a_job_belongs_to_its_visitor(desk, clips):
    one, other = visitor(desk), visitor(desk)
    with_clip(desk, one, clips)
    job = desk.generate(one, 'mine', 'mine', None, 1, True, {}, '')
    assert desk.jobs.cancel(other.id) is None and job.alive and 'mine' not in desk.status(other)['html']
    assert isinstance(job, Job) and desk.status(one)['busy'] and not desk.status(other)['busy']


def test_visitors_come_before_the_other_examples(desk, clips):
    first = desk.render_examples()
    session = visitor(desk)
    with_clip(desk, session, clips)
    asked = desk.generate(session, 'mine', 'mine', None, 1, True, {}, '')
    assert desk.jobs.place(asked) == 0
    version = desk.status(session)['version']
    desk.jobs.go.set()
    desk.jobs.wait(desk.jobs.latest(LATER[-1]), 10)
    ran = desk.jobs.ran
    assert ran[:2] == [first, asked] and [one.arguments['people'] for one in (ran[0], *ran[2:])] == list(EXAMPLES)
    assert all(one.late for one in ran[2:]) and desk.status(session)['version'] != version


def test_what_fails_with_the_examples_names_no_folder_of_the_server(desk):
    """It is said to everybody who has no job."""
    desk.jobs.end = FAILED
    desk.jobs.go.set()
    desk.render_examples()
    desk.jobs.wait(desk.jobs.latest(LATER[-1]), 10)
    said = desk.status(visitor(desk))['html']
    assert 'sessions/x: it failed; try again<' in said and str(desk.sessions.root) not in said


@pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods() or not Path('/dev/full').exists(),
                    reason='needs processes that fork, and a full disk to write to')
@pytest.mark.parametrize('error, said', [(InputError('me.mp4: the disk is full'), 'me.mp4: the disk is full'),
                                         (ZeroDivisionError(), 'something went wrong that should not')])
def test_why_a_job_failed_is_said_also_where_the_log_cannot_be_written(tmp_path, monkeypatch, error, said):
    def fails(told):
        sys.stderr = open('/dev/full', 'w')
        raise error

    monkeypatch.setitem(work.TASKS, 'example', fails)
    jobs = Jobs(Limits(), tmp_path / 'jobs.log')
    jobs._context = multiprocessing.get_context('fork')
    job = jobs.wait(jobs.submit(Job('me', 'example', {}, 'x')), 30)
    jobs.close()
    assert job.state == FAILED and job.error.startswith(said)


@pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods(), reason='needs processes that fork')
def test_ctrl_c_in_the_terminal_of_the_server_does_not_reach_its_jobs(tmp_path, monkeypatch):
    monkeypatch.setitem(work.TASKS, 'example', lambda told: os.getsid(0))
    jobs = Jobs(Limits(), tmp_path / 'jobs.log')
    jobs._context = multiprocessing.get_context('fork')
    job = jobs.wait(jobs.submit(Job('me', 'example', {}, 'x')), 30)
    jobs.close()
    assert job.state == DONE and job.value != os.getsid(0)


@pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods(), reason='needs processes that fork')
@pytest.mark.parametrize('code, said', [(1, "if __name__ == '__main__':"), (-9, 'not enough memory')])
def test_memory_is_blamed_only_for_a_job_that_was_killed(tmp_path, monkeypatch, code, said):
    monkeypatch.setattr(work, 'run', lambda *_: os.kill(os.getpid(), -code) if code < 0 else os._exit(code))
    jobs = Jobs(Limits(), tmp_path / 'jobs.log')
    jobs._context = multiprocessing.get_context('fork')
    job = jobs.wait(jobs.submit(Job('me', 'example', {}, 'x')), 30)
    jobs.close()
    assert job.state == FAILED and f'(exit code {code})' in job.error
    assert said in job.error and ('memory' in job.error) == (code == -9)
