"""What every command line shares: config arguments, names of commands, and clean ends on errors and on Ctrl-C."""

import ast
import functools
import os
import re
import select
import signal
import sys
import threading
from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TextIO

from toolkit.packaged import PACKAGE, TOOLS
from toolkit.structures import InputError, MissingWeightsError

# Threads of torch wait for each other by spinning. Without a bound, one other busy process makes training crawl (measured on two cores:
# 20 times slower); a short spin costs nothing on a quiet machine. Read once, when torch is loaded, which happens after this.
if 'OMP_WAIT_POLICY' not in os.environ:
    os.environ.setdefault('GOMP_SPINCOUNT', '10000')

COMMANDS = {**dict(
    prepare='prepare_data', train='train', test='test', benchmark='benchmark', generate='generate', finetune='finetune',
    distill='distill', publish='publish_model', export='export', convert='convert_weights', browse='browse_dataset', view='view',
    latent='visualize_latent',
    configs='list_configs', config='print_config', parts='list_parts', flops='get_flops', demo='demo', web='web',
    live='live', estimate='estimate', plot='plot_logs'), 'new-plugin': 'new_plugin'}
"""Command of ``hvt`` -> tool."""
WORDS = {'true': True, 'false': False, 'none': None, 'null': None}
"""What these words mean in ``KEY=VALUE``, of a config and of a part."""
BRACKETS = {'[': ']', '(': ')', '{': '}'}
TEXTS = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([^][(){},:'"\s](?:[^][(){},:'"]*[^][(){},:'"\s])?)""")
"""In a list or dict: what stands in quotes, or what stands there without."""


class Interrupted(KeyboardInterrupt):
    """The user stopped a run; the message says what was saved and how to go on."""


def numbers(expected: str, count: int, kind: type, separator: str = ',', words: tuple[str, ...] = ()) -> Callable[[str], str | tuple]:
    """What reads an option of ``count`` numbers, or of one of some words: ``384x256`` -> (384, 256)."""
    def parse(text: str) -> str | tuple:
        if text in words:
            return text
        try:
            found = tuple(kind(number) for number in text.lower().split(separator))
        except ValueError:
            found = ()
        if len(found) != count:
            raise ArgumentTypeError(f'expected {expected}, got {text!r}')
        return found
    return parse


def option_value(text: str) -> Any:
    """What the text behind ``KEY=`` means: a Python literal, one of :data:`WORDS`, or else text. So do items of a list or dict.

    Raises:
        InputError: it stands in brackets, and is no list or dict.
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        pass
    if text[:1] not in BRACKETS or text.rstrip()[-1:] != BRACKETS[text[0]]:
        return WORDS.get(text.lower(), text)
    try:
        made = ast.literal_eval(TEXTS.sub(lambda found: found[1] or repr(option_value(found[2])), text))
        return text if isinstance(made, str) else made  # a name in parentheses
    except (ValueError, SyntaxError, TypeError) as error:
        raise InputError(f'{text!r} is no list or dict: put texts in quotes, as in "[\'a b\', \'c:d\']"') from error


def part_config(words: list[str] | None) -> dict | None:
    """Name and options of a part as a config: ``['TIN2', 'batch_size=8']`` -> ``{'type': 'TIN2', 'batch_size': 8}``.

    Values are those of :func:`option_value`.

    Raises:
        InputError: an option without ``=``.
    """
    if not words:
        return None
    config = {'type': words[0]}
    for word in words[1:]:
        key, equals, value = word.partition('=')
        if not equals:
            raise InputError(f'expected TYPE KEY=VALUE ..., got {word!r}')
        config[key] = option_value(value)
    return config


def main_guard(main: Callable) -> Callable:
    """Decorate a tool's ``main``: user errors become one clear line, Ctrl-C a short message, never a traceback.

    Exit codes: 0 success, or nobody reads the output any more, 2 :class:`InputError` or :class:`MissingWeightsError`, 130 interrupted,
    by SIGTERM or a closed terminal as well. Errors of any other kind are bugs and keep their traceback.
    """

    @functools.wraps(main)
    def guarded(*args, **kwargs) -> None:
        with suppress(AttributeError, ValueError):  # somebody's own stream, or a closed one
            sys.stdout.reconfigure(errors='backslashreplace')  # as stderr does with names that it cannot show
        try:
            with _stoppable():
                code = main(*args, **kwargs)
        except (InputError, MissingWeightsError) as error:
            code = _say(f'error: {error}', 2)
        except KeyboardInterrupt as stop:
            code = _say(str(stop) or 'interrupted', 130)
        except BrokenPipeError:
            if not _is_left(sys.stdout):
                raise
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        raise SystemExit(code or 0)

    return guarded


@contextmanager
def _stoppable() -> Iterator[None]:
    """SIGTERM and SIGHUP act as Ctrl-C does, unless they are ignored, as SIGHUP is under ``nohup``."""
    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    wanted = [s for s in (getattr(signal, name, None) for name in ('SIGTERM', 'SIGHUP')) if s and signal.getsignal(s) is signal.SIG_DFL]
    old = {s: signal.signal(s, stop) for s in wanted if threading.current_thread() is threading.main_thread()}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _is_left(stream: TextIO) -> bool:
    """Whether whoever read a stream, such as ``head``, has gone: a pipe that breaks elsewhere is an error like others."""
    with suppress(AttributeError, OSError, ValueError):  # no file at all
        waiting = select.poll()
        waiting.register(stream.fileno(), select.POLLOUT)  # macOS says nothing to who asks for nothing
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in waiting.poll(0))
    return False


def spoken(text: str) -> str:
    """A text that speaks of ``tools/NAME.py``, in words of ``hvt`` when that runs, or when the tools are inside of the package."""
    if not sys.argv[0].startswith('hvt ') and TOOLS.parent != PACKAGE:
        return text
    for command, tool in COMMANDS.items():
        text = re.sub(rf'(torchrun [^\n]*?)\btools/{tool}\.py', rf'\1-m toolkit {command}', text)
        text = re.sub(rf'(\bpython )?\btools/{tool}\.py', f'hvt {command}', text)
    return text


def described_parser(doc: str) -> ArgumentParser:
    """A parser that tells a tool's docstring: its first line above the options, the rest, as it is, below."""
    summary, _, details = doc.partition('\n\n')
    return ArgumentParser(description=summary, epilog=details, formatter_class=RawDescriptionHelpFormatter)


def own_videos_parser(doc: str, iterations: str) -> ArgumentParser:
    """The parser of a tool that prepares videos of one person and trains on them.

    Args:
        doc: of the tool's module.
        iterations: what is said of their number.
    """
    parser = described_parser(doc)
    parser.add_argument('videos', nargs='*', metavar='VIDEO',
                        help='videos, or folders of pictures, of one person in the same clothes (none where '
                             '--data holds prepared clips)')
    parser.add_argument('--work-dir', required=True, metavar='DIR', help='folder for checkpoints and pictures')
    parser.add_argument('--data', metavar='DIR', help='folder of prepared clips (default data/<name of the work dir>)')
    parser.add_argument('--iterations', type=int, metavar='N', help=iterations)
    parser.add_argument('--resume', action='store_true', help='go on with the training that is in the work dir')
    add_speed_arguments(parser)
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='override keys of the config')
    return parser


def add_speed_arguments(parser: ArgumentParser) -> None:
    """Add ``--amp`` and ``--fast`` to the parser of a tool that trains."""
    parser.add_argument('--fast', action='store_true',
                        help='switch on what is fast and safe on this machine (half precision, fused optimizers, CUDA graphs and more, '
                             'see docs/performance.md); the log says what was chosen, and what the config says itself stays')
    parser.add_argument('--amp', nargs='?', const='bfloat16', default=None, choices=['bfloat16', 'float16', 'bf16', 'fp16'],
                        help='half precision for all networks (default bfloat16), also where this machine is slower in it')


def add_config_arguments(parser: ArgumentParser) -> None:
    """Add ``CONFIG`` and ``--cfg-options`` to a tool's parser, for :func:`toolkit.engine.launch.load_config`."""
    parser.add_argument('config', help="config file, or the name of one of the toolkit's, for example stage2_pix2pixhd")
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE',
                        help='override keys of the config, for example train_cfg.max_iters=1000; unknown keys are errors')


def add_allow_import(parser: ArgumentParser) -> None:
    """Add ``--allow-import`` to the parser of a tool that builds a model from a checkpoint alone."""
    parser.add_argument('--allow-import', nargs='+', default=[], metavar='MODULE',
                        help='modules that the checkpoint may import though they are not installed; give only those that you know')


def _say(message: str, code: int) -> int:
    rank = int(os.environ.get('RANK', '0'))
    sys.stdout.flush()
    message = spoken(message)
    print(f'[process {rank}] {message}' if rank else message, file=sys.stderr, flush=True)
    return code
