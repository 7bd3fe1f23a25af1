"""The server of the page: Gradio behind the guard, and a few routes of its own for files that come and go."""

import os
import re
import secrets
import signal
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

os.environ['GRADIO_ANALYTICS_ENABLED'] = 'False'
os.environ['HF_HUB_OFFLINE'] = os.environ['HF_HUB_DISABLE_TELEMETRY'] = '1'

import gradio as gr
from anyio import to_thread
from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from toolkit.files import writing_error
from toolkit.locks import locked
from toolkit.structures import InputError
from toolkit.web.desk import Desk
from toolkit.web.guard import SOCKET, UPLOAD, Guard
from toolkit.web.jobs import FAILED, WAITING, Jobs
from toolkit.web.live import MOST_BYTES, Relay
from toolkit.web.page import Page
from toolkit.web.sessions import Limits, Session, Sessions

HERE = Path(__file__).parent
CLEANING = 300
"""Seconds between two looks for files of visitors who are gone."""
REPORT_RULES = "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Server:
    """Everything that serves one folder; used in a ``with`` block, which stops the jobs at its end.

    Args:
        root: folder where all files of visitors lie.
        limits: what they may ask for.
        any_host: the page is meant to be reached from other machines.
        size: (H, W) of all clips.
        name: of a proxy on this machine, which gives the page out to others.

    Raises:
        InputError: a folder of others, or one that another server uses; a name that is none.
    """

    def __init__(self, root: str | Path, limits: Limits | None = None, any_host: bool = False,
                 size: tuple[int, int] = (384, 256), name: str | None = None) -> None:
        self.limits, self.name = limits or Limits(), name
        if name is not None and not re.fullmatch('[A-Za-z0-9.-]+', name):
            raise InputError(f'--name {name}: expected a name alone, such as page.example.org, without https:// and port')
        if name is not None and any_host:
            raise InputError('--name is for a proxy on this machine, which needs no --host: leave one of them out')
        self.sessions = Sessions(root, self.limits)
        self._lock = locked(self.sessions.root / '.server.lock', wait=False, busy=f'{root}: another server uses this folder; choose '
                                                                                  'another with --work-dir')
        self.jobs, self.any_host, self.size = None, any_host, size
        self._over = threading.Event()

    def __enter__(self) -> 'Server':
        self._lock.__enter__()
        self.sessions.tidy()
        os.environ['GRADIO_TEMP_DIR'] = str(self.sessions.root / 'gradio')
        self.jobs = Jobs(self.limits, self.sessions.root / 'jobs.log')
        self.desk = Desk(self.sessions, self.jobs, self.size)
        self.desk.render_examples()
        self.app = self._app()
        threading.Thread(target=self._clean, daemon=True).start()
        return self

    def __exit__(self, *error) -> None:
        self._over.set()
        self.jobs.close()
        self._lock.__exit__(None, None, None)

    def _clean(self) -> None:
        while not self._over.wait(CLEANING):
            self.desk.clean()

    def _app(self) -> Guard:
        app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
        app.get('/hvt/status')(self.status)
        app.post(UPLOAD)(self.upload)
        app.websocket(SOCKET)(self.live)
        app.api_route('/hvt/files/{path:path}', methods=['GET', 'HEAD'])(self.file)
        page = Page(self.desk).blocks
        page.queue(max_size=256, default_concurrency_limit=8)
        theme = gr.themes.Soft(font=['system-ui', 'sans-serif'], font_mono=['ui-monospace', 'monospace'])
        script = f'<script>{(HERE / "page.js").read_text()}</script>'
        app = gr.mount_gradio_app(app, page, path='/', footer_links=[], run_history=False, show_error=False, ssr_mode=False, pwa=False,
                                  mcp_server=False, enable_monitoring=False, theme=theme, head=script, max_file_size=1,
                                  css=(HERE / 'page.css').read_text())
        return Guard(app, self.sessions, self.any_host, self.name)

    async def status(self, request: Request) -> Response:
        """How far the visitor's job is."""
        return JSONResponse(self.desk.status(request.state.hvt_session), headers={'cache-control': 'no-store'})

    async def file(self, path: str, request: Request) -> Response:
        """A file of the visitor."""
        found = request.state.hvt_session.served(path)
        if found is None:
            return PlainTextResponse('there is no such file of yours', 404)
        rules = {'content-security-policy': REPORT_RULES} if found[0].suffix == '.html' else {}
        return FileResponse(found[0], media_type=found[1], headers={'cache-control': 'private, no-cache', **rules})

    async def live(self, visitor: WebSocket) -> None:
        """A live session: the first message of the browser is what it wants, later ones are pictures of its camera."""
        session, desk = visitor.state.hvt_session, self.desk
        await visitor.accept()
        try:
            wish = await visitor.receive_json()
            job, pipe = desk.live(session, *(wish.get(key) for key in ('person', 'model', 'way', 'up', 'down')))
        except WebSocketDisconnect:
            return
        except (InputError, KeyError, ValueError, AttributeError, TypeError) as error:
            words = desk.words(session, error) if isinstance(error, InputError) else 'this is no wish that the page sends'
            await visitor.send_json(dict(state=FAILED, said=words))
            await visitor.close()
            return

        def ended() -> dict:
            desk.jobs.wait(job, 10)
            return dict(state=job.state, said=job.error or (job.lines or [''])[-1])

        relay = Relay(visitor, pipe, ended)
        while (message := await visitor.receive())['type'] == 'websocket.receive':
            relay.put(message.get('bytes') or message.get('text') or '')
        relay.leave()
        if job.state == WAITING:
            desk.jobs.cancel(session.id)

    async def upload(self, request: Request, role: str = '', name: str = '', start: str = '0') -> Response:
        """Take a file: its bytes are the body of the request."""
        session: Session = request.state.hvt_session
        announced = request.headers.get('content-length', '')
        try:
            first = _second(start)
            self.desk.check_upload(session, role, int(announced) if announced.isdecimal() else 0)
            part = session.folder / 'uploads' / f'.{secrets.token_hex(8)}.{role}.part'
            async with _removed(part):
                with open(part, 'xb') as file:
                    size = looked = 0
                    async for block in request.stream():
                        size += len(block)
                        too_large = size > self.limits.upload_mb * 1e6
                        if too_large or size - looked > 8e6:  # what has come is among the files of the session already
                            self.sessions.check_room(session, size if too_large else len(block))
                            looked = size
                        await to_thread.run_sync(file.write, block)
                if not size:
                    raise InputError('the file is empty')
                return JSONResponse(dict(name=self.desk.take_upload(session, role, part, name, first)))
        except InputError as error:
            return JSONResponse(dict(error=self.desk.words(session, error)), 400)
        except ClientDisconnect:
            return JSONResponse(dict(error='the upload was canceled'), 400)  # nobody is there to read it
        except OSError as error:
            return JSONResponse(dict(error=self.desk.words(session, writing_error(Path(name or 'the file'), error))), 507)


@asynccontextmanager
async def _removed(part: Path) -> AsyncIterator[None]:
    """Leave nothing of a file that was not taken."""
    try:
        yield
    finally:
        part.unlink(missing_ok=True)


def _second(text: str) -> float:
    try:
        return float(text or 0)
    except ValueError:
        raise InputError(f'the first second must be a number, got {text!r}') from None


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes any that is free.

    Raises:
        InputError: the port is taken, or there is no such address.
    """
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ':' in host else socket.AF_INET, backlog=128)
    except (OSError, OverflowError) as error:
        why = getattr(error, 'strerror', None) or error
        raise InputError(f'cannot listen on {host} port {port} ({why}); choose another --port') from error


def serve(root: str | Path, limits: Limits, host: str = '127.0.0.1', port: int = 7860, said=print, name: str | None = None) -> None:
    """Serve the page until Ctrl-C.

    Args:
        root: folder where all files of visitors lie.
        limits: what they may ask for.
        host, port: where to listen.
        said: told one line, with the address.
        name: see :class:`Server`.

    Raises:
        InputError: the port is taken, or see :class:`Server`.
    """
    import uvicorn
    local = host in ('127.0.0.1', 'localhost', '::1')
    with listen(host, port) as listening, Server(root, limits, any_host=not local, name=name) as server:
        shown = 'localhost' if local else host
        said(f'the page is at http://{shown}:{listening.getsockname()[1]}/  (Ctrl-C ends it)')
        config = uvicorn.Config(server.app, log_level='warning', timeout_graceful_shutdown=3, server_header=False,
                                ws_max_size=MOST_BYTES, ws_max_queue=2)
        with suppress(ValueError, AttributeError):  # not in the main thread, or a system without it
            if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # the terminal was closed: jobs are told to stop, too
                signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
        uvicorn.Server(config).run(sockets=[listening])
