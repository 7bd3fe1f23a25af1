"""Many visitors at once: ``python benchmarks/bench_web.py --clients 20``.

Each visitor opens the page, uploads a bad file under a name that is a trick, asks for a short video of the built-in people, asks all
the time how far it is, loads the result, and tries to reach the results of all others and files of the server. Every fifth cancels and
asks again. Then the disk is full: nobody can upload or generate, and everybody still has their result. It is checked that nobody loses
a result, that nobody sees what is another's, and that what goes wrong is said without a word about the server. The server runs in this
process, its jobs in processes of their own. Target: a page that answers within a second while a job runs.
"""

import argparse
import dataclasses
import http.client
import json
import os
import tempfile
import threading
import time
import zlib
from pathlib import Path
from urllib.parse import quote

import av
import numpy as np

from toolkit.video.io import VideoWriter
from toolkit.web.desk import HOUSE, LATER, OWN
from toolkit.web.sessions import Limits

TRICKS = ('../../../etc/passwd', '..%2f..%2fjobs.log', 'uploads/x', 'examples/../jobs.log', '/etc/passwd', 'results/%00',
          '....//jobs.log')
NAMES = ('../../bad.mp4', '/etc/cron.d/bad.mp4', '..\\..\\bad.mp4', 'bad\0.mp4', 'b' * 300 + '.mp4', '.bad.mp4', 'bäd 💃.mp4',
         'NUL.mp4', '<img src=x onerror=alert(1)>.mp4', 'results/../../bad.mp4')


def bad_files(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Files that cannot become a clip: what is wrong -> (content, a word of what is said)."""
    with VideoWriter(folder / 'nobody.mp4', 25) as video:
        for t in range(60):
            video.write(np.random.default_rng(t).integers(0, 60, (96, 64, 3), np.uint8))
    nobody = (folder / 'nobody.mp4').read_bytes()
    header = b'IHDR' + (60000).to_bytes(4, 'big') * 2 + bytes((8, 2, 0, 0, 0))
    huge = b'\x89PNG\r\n\x1a\n\0\0\0\r' + header + zlib.crc32(header).to_bytes(4, 'big') + b'\0\0\0\0IEND\xaeB`\x82'
    with av.open(str(folder / 'sound.mp4'), 'w') as sound:
        stream = sound.add_stream('aac', rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), 'fltp', 'mono')
        frame.rate = 44100
        sound.mux([*stream.encode(frame), *stream.encode(None)])
    return dict(
        text=(b'this is no video' * 1000, 'not a video'), empty=(b'', 'the file is empty'), large=(bytes(6_000_000), 'at most 5 MB'),
        noise=(np.random.default_rng(0).bytes(100_000), 'not a video'), nobody=(nobody, 'no person found'),
        cut=(nobody[:len(nobody) // 2], ''), sound=((folder / 'sound.mp4').read_bytes(), 'no video'),
        huge=(huge, ''), playlist=(b'#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n', 'playlist'),
        concat=(b'ffconcat version 1.0\nfile /etc/hostname\n', 'playlist'),
        page=(b'<html><script>alert(1)</script></html>' * 99, 'not a video'))


class Visitor(threading.Thread):
    """One of them.

    Args:
        number: which one.
        port: of the server.
        patience: seconds.
    """

    def __init__(self, number: int, port: int, patience: float) -> None:
        super().__init__(daemon=True)
        self.number, self.port, self.deadline = number, port, time.monotonic() + patience
        self.waits, self.cookie, self.result, self.folder = [], '', None, ''
        self.problems, self.results_of_others, self.bad = [], 0, ('', b'', '')

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """A request; the answer's status and content."""
        start = time.perf_counter()
        line = http.client.HTTPConnection('127.0.0.1', self.port, timeout=120)
        line.request(method, path, body, {'cookie': self.cookie, **headers})
        answer = line.getresponse()
        content = answer.read()
        if cookie := answer.getheader('set-cookie'):
            self.cookie = cookie.partition(';')[0]
        line.close()
        self.waits.append(time.perf_counter() - start)
        return answer.status, content

    def upload(self, content: bytes) -> tuple[int, bytes]:
        """Upload a file under a name that is a trick."""
        return self.ask('POST', f'/hvt/upload?role=person&name={quote(NAMES[self.number % len(NAMES)])}', content)

    def handler(self, name: str, *values: object) -> tuple[int, bytes]:
        """Press a button."""
        body = json.dumps(dict(data=values)).encode()
        return self.ask('POST', f'/gradio_api/run/{name}', body, **{'content-type': 'application/json'})

    def ended(self) -> str:
        """Wait for the job; what the panel says."""
        while time.monotonic() < self.deadline:
            status = json.loads(self.ask('GET', '/hvt/status')[1])
            if not status['busy']:
                return status['html']
            time.sleep(1)
        raise TimeoutError('the job did not end')

    def run(self) -> None:
        """The visit."""
        try:
            self.visit()
        except Exception as error:
            self.problems.append(repr(error))

    def visit(self) -> None:
        """Everything that one does."""
        self.ask('GET', '/')
        kind, content, word = self.bad
        status, said = self.upload(content)
        said = self.ended() if status == 200 else said.decode()
        if word not in said or (status == 200) != ('hvt-error' in said) or 'Traceback' in said or 'sessions' in said:
            self.problems.append(f'a bad file ({kind}): {status} {said[:300]}')
        names = json.loads(self.handler('refresh', *[None] * 7)[1])['data']
        person, movement = names[0]['value'], names[1]['value']
        self.wish = [person, movement, None, .2, 'small and quick', OWN, False, '#c03030', False, '#2040a0', None, 'both garments',
                     '#30a040', '#c0a020']
        for again in range(1 + (self.number % 5 == 0)):
            status, said = self.handler('generate', *self.wish)
            if status != 200:
                self.problems.append(f'generate: {said[:200]}')
            if self.number % 5 == 0 and not again:
                self.handler('cancel')
            panel = self.ended()
        if 'hvt-done' not in panel:
            self.problems.append(f'no result: {panel[:300]}')
        names = json.loads(self.handler('refresh', *[None] * 7)[1])['data']
        self.result = f'/hvt/files/results/{names[5]["value"]}/result.mp4'
        status, video = self.ask('GET', self.result)
        if status != 200 or b'ftyp' not in video[:16]:
            self.problems.append(f'the result is not there: {status}')

    def full(self) -> None:
        """The disk is full: it is said, and what is there stays."""
        answers = self.upload(b'x' * 1000)[1], self.handler('generate', *self.wish)[1]
        if not all(b'nearly full' in answer and b'nothing of yours is lost' in answer for answer in answers):
            self.problems.append(f'a full disk: {answers}')
        if self.ask('GET', self.result)[0] != 200:
            self.problems.append('the result is lost')

    def spy(self, others: list['Visitor']) -> None:
        """Try to reach what is of others, and of the server."""
        for other in others:
            path = f'../../{other.folder}/{(other.result or "/hvt/files/x").removeprefix("/hvt/files/")}'
            for way in (path, quote(path, safe=''), f'results/{path}', f'results/{quote(path, safe="")}'):
                self.results_of_others += self.ask('GET', f'/hvt/files/{way}')[0] == 200
        for trick in TRICKS:
            self.results_of_others += self.ask('GET', f'/hvt/files/{trick}')[0] == 200


def main(argv: list[str] | None = None) -> None:
    """Let them come, and say how it was."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0])
    parser.add_argument('--clients', type=int, default=20)
    parser.add_argument('--minutes', type=float, default=15)
    args = parser.parse_args(argv)
    import uvicorn

    from toolkit.web.server import Server, listen
    limits = Limits(upload_mb=5, waiting=args.clients, free_mb=0)
    with tempfile.TemporaryDirectory() as folder, listen('127.0.0.1', 0) as listening, Server(
            Path(folder) / 'page', limits, size=(192, 128)) as server:
        running = uvicorn.Server(uvicorn.Config(server.app, log_level='error'))
        serving = threading.Thread(target=running.run, kwargs=dict(sockets=[listening]), daemon=True)
        serving.start()
        for house in (HOUSE, *LATER):
            server.jobs.wait(server.jobs.latest(house), 600)
        port = listening.getsockname()[1]
        visitors = [Visitor(number, port, 60 * args.minutes) for number in range(args.clients)]
        bad = [(kind, *content) for kind, content in bad_files(Path(folder)).items()]
        start, used = time.perf_counter(), time.process_time()
        for visitor in visitors:
            visitor.bad = bad[visitor.number % len(bad)]
            visitor.start()
        for visitor in visitors:
            visitor.join(60 * args.minutes)
        spent, used = time.perf_counter() - start, time.process_time() - used
        for visitor in visitors:
            visitor.folder = server.sessions.open(visitor.cookie.partition('=')[2])[0].id
        for visitor in visitors:
            visitor.spy([other for other in visitors if other is not visitor])
        server.sessions.limits = dataclasses.replace(limits, free_mb=10**9)
        for visitor in visitors:
            if visitor.result:
                visitor.full()
        waits = np.concatenate([visitor.waits for visitor in visitors])
        owners = {visitor.folder for visitor in visitors}
        left = [str(path) for session in owners for path in (server.sessions.root / 'sessions' / session / 'uploads').iterdir()]
        print(f'{args.clients} visitors, {len(waits)} requests in {spent:.0f} s, {os.cpu_count()} CPUs; the server used {used:.1f} s '
              'of CPU')
        print(f'an answer took {1000 * np.median(waits):.0f} ms (median), {1000 * np.percentile(waits, 95):.0f} ms (95 %), '
              f'{1000 * waits.max():.0f} ms (longest)')
        print(f'results: {sum(v.result is not None and not v.problems for v in visitors)} of {len(visitors)}; sessions: {len(owners)}; '
              f'files of others that could be reached: {sum(v.results_of_others for v in visitors)}; uploads left behind: {len(left)}')
        for visitor in visitors:
            for problem in visitor.problems:
                print(f'visitor {visitor.number}: {problem}')
        running.should_exit = True
        serving.join(10)


if __name__ == '__main__':
    main()
