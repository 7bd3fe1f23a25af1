"""Open the page: choose a person and a movement in the browser, look, generate, fine-tune: ``python tools/web.py``.

The page works at once with rendered people, who are made on first use, and the generator that comes with the toolkit. Nothing is loaded
from the network, nothing is reported to anybody. It listens on this machine alone. Others should come through a proxy on this machine
with https and a password, whose name --name says: everybody who reaches the page may use the machine within the limits below.
--host 0.0.0.0 opens it to everybody in the network.

Every visitor sees their own files alone. They lie in the work dir and are removed some hours after the last visit.
"""

from toolkit.cli import described_parser, main_guard
from toolkit.structures import InputError


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and serve."""
    parser = described_parser(__doc__)
    parser.add_argument('--host', default='127.0.0.1', help='address to listen on (default 127.0.0.1: this machine alone)')
    parser.add_argument('--name', metavar='NAME',
                        help='name, such as page.example.org, under which a proxy on this machine gives the page out; nobody can come '
                             'past the proxy then')
    parser.add_argument('--port', type=int, default=7860, help='port to listen on (default 7860)')
    parser.add_argument('--work-dir', default='web_files', metavar='DIR', help='folder for all files of the page (default web_files)')
    parser.add_argument('--upload-mb', type=int, default=200, metavar='N', help='largest upload (default 200)')
    parser.add_argument('--seconds', type=float, default=20, metavar='S', help='longest video; what is longer is cut (default 20)')
    parser.add_argument('--session-mb', type=int, default=1000, metavar='N', help='most that a visitor may keep (default 1000)')
    parser.add_argument('--free-mb', type=int, default=500, metavar='N', help='what stays free on the disk (default 500)')
    parser.add_argument('--hours', type=float, default=24, metavar='H', help='how long files stay after the last visit (default 24)')
    parser.add_argument('--waiting', type=int, default=32, metavar='N', help='most jobs that may wait (default 32)')
    parser.add_argument('--minutes', type=float, default=60, metavar='M', help='longest job (default 60)')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='jobs at the same time (default 1)')
    parser.add_argument('--live-minutes', type=float, default=5, metavar='M', help='longest live session (default 5)')
    args = parser.parse_args(argv)

    from toolkit.web.sessions import Limits
    limits = Limits(**{name: getattr(args, name) for name in Limits.__dataclass_fields__})
    try:
        from toolkit.web.server import serve
    except ModuleNotFoundError as error:
        raise InputError(f"the page needs the package {error.name}: pip install 'human-video-toolkit[web]'") from error
    serve(args.work_dir, limits, args.host, args.port, lambda line: print(line, flush=True), args.name)


if __name__ == '__main__':
    main()
