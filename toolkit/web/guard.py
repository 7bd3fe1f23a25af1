"""The door of the page: who comes in, by which paths, and what their browser may do. Everything else is turned away."""

import re
import sys

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from toolkit.structures import InputError
from toolkit.web.sessions import Sessions

UPLOAD = '/hvt/upload'
OPEN = re.compile(
    r'/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json|/pwa_icon(/\d+)?|/(assets|static|svelte)/[\w./@%+-]+'
    r'|/gradio_api/(info/?|startup-events|queue/(join|data)/?|cancel|reset/?|heartbeat/\w+|app_id/?|login_check/?|run/\w+|call/\w+(/\w+)?)'
    rf'|/hvt/status|{UPLOAD}|/hvt/files/.+')
"""Paths that the page needs. Gradio has many more: it would fetch addresses for visitors, and give out files of others."""
SOCKET = '/hvt/live'
"""The one path of a WebSocket."""
RENEWING = ('/', '/hvt/status')
"""The page, and what it asks for all the time while it is open: each answer lets the cookie last for as long as the files do."""
LOCAL = ('127.0.0.1', 'localhost', '[::1]')
RULES = ("default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
         "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
         "worker-src 'self' blob:; frame-src 'self'; frame-ancestors 'self'; form-action 'self'; base-uri 'self'")
"""What the browser may load: nothing that is not of this server."""
LONGEST = 100_000
"""Bytes of a request that is no upload: Gradio holds all of it in memory."""


class Guard:
    """Gives each browser a session by a cookie that scripts cannot read, and lets known paths pass. From another site the browser sends
    the cookie with a link alone, so that a visitor who comes by one is known.

    The id of the session is in ``scope['state']['hvt_session']``, and handlers of the page find it by the cookie, which is put into
    the first request of a browser, too.

    Args:
        app: the application behind.
        sessions: of the page.
        any_host: the server is meant to be reached under any name.
        name: one more name than those of this machine: that of a proxy.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions, any_host: bool = False, name: str | None = None) -> None:
        self.app, self.sessions, self.any_host, self.names = app, sessions, any_host, (*LOCAL, *([name.lower()] if name else []))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request pass, or answer it."""
        if scope['type'] == 'websocket':
            if self._may_connect(scope):
                await self.app(scope, receive, send)
            else:
                await send(dict(type='websocket.close', code=1008))
            return
        if scope['type'] != 'http':
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if not self._meant(headers):
            await PlainTextResponse('this server is for the machine that it runs on', 403)(scope, receive, send)
            return
        origin = headers.get('origin')
        if scope['method'] != 'GET' and origin and origin.split('://')[-1] != headers.get('host'):
            await PlainTextResponse('requests of other pages are not taken', 403)(scope, receive, send)
            return
        if not OPEN.fullmatch(scope['path']) or '..' in scope['path'].split('/'):
            await PlainTextResponse('there is nothing here', 404)(scope, receive, send)
            return
        known = self._token(headers)
        try:
            session, fresh = self.sessions.open(known)
        except InputError as error:
            print(f'a new visitor cannot be taken: {error}', file=sys.stderr, flush=True)
            said = 'this server has no room for a new visitor at the moment; come back later'
            await PlainTextResponse(said, 507)(scope, receive, send)
            return
        renewed = fresh or (known if scope['method'] == 'GET' and scope['path'] in RENEWING else None)
        if fresh:
            kept = [(k, v) for k, v in scope['headers'] if k != b'cookie']
            scope = dict(scope, headers=[*kept, (b'cookie', f'{self.sessions.cookie}={fresh}'.encode())])
        scope.setdefault('state', {})['hvt_session'] = session

        async def answer(message: Message) -> None:
            if message['type'] == 'http.response.start':
                out = MutableHeaders(scope=message)
                out.setdefault('content-security-policy', RULES)
                out['x-content-type-options'] = 'nosniff'
                out['referrer-policy'] = 'same-origin'
                if renewed:
                    secure = '; Secure' if scope.get('scheme') == 'https' else ''
                    seconds = round(self.sessions.limits.hours * 3600)
                    out.append('set-cookie', f'{self.sessions.cookie}={renewed}; HttpOnly; SameSite=Lax; Path=/; Max-Age={seconds}'
                                             f'{secure}')
            await send(message)

        await self.app(scope, receive if scope['path'] == UPLOAD else _short(receive), answer)

    def _meant(self, headers: Headers) -> bool:
        """Whether the request was sent to a name that this server may have."""
        return self.any_host or re.sub(r':\d+$', '', headers.get('host', '')).lower() in self.names

    def _may_connect(self, scope: Scope) -> bool:
        """Whether a page of ours, of a browser that we know, opens the one socket that there is."""
        headers, token = Headers(scope=scope), self._token(Headers(scope=scope))
        ours = headers.get('origin', '').split('://')[-1] == headers.get('host')
        if scope['path'] != SOCKET or not self._meant(headers) or not ours or not self.sessions.knows(token):
            return False
        scope.setdefault('state', {})['hvt_session'] = self.sessions.open(token)[0]
        return True

    def _token(self, headers: Headers) -> str | None:
        """The secret among the cookies, which may hold anything: browsers send those of other servers of this machine, too."""
        return cookie_parser(headers.get('cookie', '')).get(self.sessions.cookie)


def _short(receive: Receive) -> Receive:
    """What a browser sends, up to :data:`LONGEST`; there it counts as gone, and the rest is not read."""
    size = 0

    async def receive_short() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get('body', b''))
        return message if size <= LONGEST else dict(type='http.disconnect')

    return receive_short
