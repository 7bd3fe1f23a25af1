"""Every command that README and docs show is one that its tool takes: read by the tool's own parser, its configs with their options."""

import re
import runpy
import shlex
import subprocess
from argparse import ArgumentParser, Namespace
from configparser import ConfigParser
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path

import pytest

from toolkit.cli import COMMANDS
from toolkit.engine.launch import load_config
from toolkit.packaged import config_names
from toolkit.structures import InputError

ROOT = Path(__file__).resolve().parent.parent
GUIDES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md')), *sorted((ROOT / 'plugins').glob('*/README.md')),
          ROOT / 'toolkit' / 'pretrained' / 'README.md']
OF_READERS = {'mine.py', 'mine'}
"""Configs that a reader writes by the guide."""
INLINE = re.compile(r'`((?:hvt|python (?:tools|benchmarks)/\w+\.py|make) [^`]+)`')


class Parsed(BaseException):
    """The parser of a tool has taken the arguments."""


@pytest.fixture(autouse=True)
def parsers_stop(monkeypatch):
    """A parser ends its tool when it has done its work."""
    def ending(taken):
        def parse(self, *given, **named):
            raise Parsed(taken(self, *given, **named))
        return parse

    for name in ('parse_args', 'parse_intermixed_args'):
        monkeypatch.setattr(ArgumentParser, name, ending(getattr(ArgumentParser, name)))


@cache
def main_of(file):
    return runpy.run_path(str(file))['main']


def options_of(file, arguments, monkeypatch):
    """What the parser of a tool makes of arguments."""
    monkeypatch.setattr('sys.argv', [str(file), *arguments])
    monkeypatch.syspath_prepend(str(file.parent))
    try:
        with redirect_stderr(StringIO()) as said, redirect_stdout(StringIO()):
            main_of(file)()
    except Parsed as parsed:
        return parsed.args[0]
    except SystemExit as end:
        if not end.code:
            return Namespace()
        raise AssertionError(f'{file.name} refuses it: {said.getvalue().splitlines()[-1]}') from end
    raise AssertionError(f'{file.name} reads no arguments')


def check_tool(file, arguments, monkeypatch):
    """Parse, and load the configs that are named."""
    options = vars(options_of(file, arguments, monkeypatch))
    config = options.get('config')
    if isinstance(config, str) and config not in (*OF_READERS, 'x') and file.name != 'list_configs.py':
        name = config.removeprefix('configs/').removesuffix('.py')
        if name in config_names() or config.startswith('configs/'):
            load_config(config if config.startswith('configs/') else name, options.get('cfg_options') or [])
        else:
            assert file.name in ('publish_model.py', 'convert_weights.py', 'print_config.py'), f'there is no config {config}'


def check(line, monkeypatch):
    """See that one command can be given.

    Raises:
        AssertionError: says why not.
    """
    words = shlex.split(line)
    while words and re.match(r'\w+=', words[0]):
        words = words[1:]
    head, *rest = words
    if head in ('hvt', '.venv/bin/hvt') and rest[0] != '--help':
        check_tool(ROOT / 'tools' / f'{COMMANDS[rest[0]]}.py', rest[1:], monkeypatch)
    elif head == 'torchrun':
        assert rest[rest.index('-m') + 1] == 'toolkit'
        check(shlex.join(['hvt', *rest[rest.index('-m') + 2:]]), monkeypatch)
    elif head == 'python' and rest[0].endswith('.py'):
        check_tool(ROOT / rest[0], rest[1:], monkeypatch)
    elif head == 'python' and rest[:2] == ['-m', 'pytest'] or head == 'pytest':
        paths = [word for word in rest if '/' in word]
        assert all((ROOT / path).exists() for path in paths)
    elif head == 'python' and rest[0] == '-m':
        file = ROOT / f'{rest[1].replace(".", "/")}.py'
        options_of(file, rest[2:], monkeypatch)
    elif head == 'make':
        targets = re.findall(r'^([\w-]+):', (ROOT / 'Makefile').read_text(), re.M)
        assert set(rest) <= set(targets), f'make has no {rest}'
    elif head == 'pip':
        check_install(rest)
    elif head.startswith('tools/') and head.endswith('.sh'):
        assert not subprocess.run(['bash', '-n', ROOT / head], check=False).returncode
        given = [rest[2], '--work-dir', *rest[3:]] if head.endswith('slurm_train.sh') else [rest[0], *rest[2:]]
        check_tool(ROOT / 'tools' / 'train.py', given, monkeypatch)
    elif head == 'ln':
        assert (ROOT / rest[1].removeprefix('$PWD/')).exists()
    elif words != ['hvt', '--help']:
        raise AssertionError(f'{head}: not a command that is known here')


def check_install(words):
    """Files, folders and extras that pip is given."""
    setup = ConfigParser()
    setup.read(ROOT / 'setup.cfg')
    for before, word in zip(words, words[1:]):
        if before in ('-r', '-e') or word.startswith('./'):
            path, _, extras = word.removeprefix('./').partition('[')
            assert (ROOT / path).exists() or path == 'my_loss', f'pip: there is no {word}'
        else:
            extras = re.match(r'(?:human-video-toolkit|\.)\[(.*)|', word)[1] or ''
        assert all(extra in setup['options.extras_require'] for extra in re.findall(r'[\w-]+', extras)), word


def commands(text):
    """(command, whether it is whole) of the blocks of a guide and of its sentences, which may name a tool and an option alone."""
    for block in re.findall(r'```bash\n(.*?)```', text, re.S):
        for line in re.sub(r'\\\n\s*', ' ', block).splitlines():
            line = re.sub(r'(^|\s+)#(?!\w{6}).*', '', line).strip()
            yield from ((part.strip(), True) for part in line.split('&&') if part.strip())
    for command in INLINE.findall(re.sub(r'```.*?```', '', text, flags=re.S)):
        yield ' '.join(command.replace('\\|', '|').split()), False


def filled(command):
    """A command without its placeholders: ``VIDEO ...`` is a file, ``NAME`` is a word."""
    words = [word for word in command.split() if word not in ('...', '…')]
    return ' '.join('x' if re.fullmatch(r'[A-Z][A-Z_|]+(?:\.\.\.)?', word) else word for word in words)


@pytest.mark.parametrize('guide', GUIDES, ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_of_guides_are_taken(guide, monkeypatch):
    monkeypatch.chdir(ROOT)
    refused = []
    for command, whole in commands(guide.read_text()):
        try:
            check(filled(command), monkeypatch)
        except (AssertionError, InputError, KeyError, ValueError, OSError) as error:
            if whole or 'arguments are required' not in str(error):
                refused.append(f'{command}: {error}')
    assert not refused, '\n'.join(refused)


@pytest.mark.parametrize('command', [
    'hvt prepare a.mp4', 'hvt dance', 'hvt train own/vide', 'hvt train own/video --cfg-options model.los=1', 'make dance',
    'hvt generate --content a.mp4 --driving b.mp4 --out c.mp4 --size large', 'python tools/train.py', 'conda install x',
    'pip install human-video-toolkit[everything]', 'pip install .[everything]', 'pip install -r requirements/x.txt'])
def test_a_wrong_command_would_be_found(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises((AssertionError, InputError, KeyError)):
        check(command, monkeypatch)
