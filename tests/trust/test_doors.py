"""Who opens files: all go through the doors, so that what they promise holds everywhere."""

import ast
import os
import pickle
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.trust.garbage import limits
from toolkit import doors
from toolkit.clips.checks import read_picture_of
from toolkit.structures import InputError
from toolkit.video.picture_file import read_picture
from toolkit.weights import read_checkpoint

TOOLKIT = Path(__file__).resolve().parents[2] / 'toolkit'
OPENING = {'open', 'read_bytes', 'read_text', 'fromfile', 'imread', 'imdecodemulti', 'ZipFile', 'load_file', 'safe_open', 'touch',
           'np.load', 'torch.load', 'json.load', 'pickle.load', 'pickle.loads', 'yaml.load', 'joblib.load'}
KNOWN = {
    'doors.py': 'the door itself', 'files.py': 'writes under a new name', 'weights.py': 'torch and safetensors, after the door',
    'outputs.py': 'a mark in a folder that is new or empty', '__main__.py': 'our own source', 'plugins.py': 'data of packages',
    'cli.py': '/dev/null', 'engine/config.py': 'configs, which are code of the user', 'poses/array_files.py': 'numpy, after the door',
    'poses/mmpose_estimator.py': 'torch, after the door', 'video/source.py': 'FFmpeg', 'video/picture_file.py': 'Pillow',
    'clips/checks.py': 'Pillow, in memory', 'video/io.py': 'a new temporary file', 'video/sound.py': 'a clip that is being made',
    'clips/clip.py': 'a clip that is being made, looked through before', 'clips/folder.py': 'a mark in a clip of ours',
    'engine/machine.py': '/proc/cpuinfo', 'machine.py': 'what the kernel says about a container', 'packaged.py': 'our own list',
    'scaffold.py': 'our own templates', 'engine/budget_hook.py': '/proc', 'inference/painting.py': 'no file, a model',
    'benchmark/': 'results and claims of its own processes', 'live/': 'cameras and streams that the user names',
    'web/': 'a server with rules of its own, see toolkit/web/guard.py'}


def openers(text: str) -> set[str]:
    """Names of calls that open a file by its path."""
    found = set()  # a bare read_bytes is the door's; open() of a model is no file
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, 'id', '')
            whole = f'{getattr(getattr(node.func, "value", None), "id", "")}.{name}'
            if whole in OPENING or name in OPENING and whole not in ('.read_bytes', 'self.open', 'model.open'):
                found.add(whole)
    return found


def test_all_files_are_opened_at_the_doors():
    for path in sorted(TOOLKIT.rglob('*.py')):
        name = path.relative_to(TOOLKIT).as_posix()
        calls = openers(path.read_text())
        if not any(name == known or known.endswith('/') and name.startswith(known) for known in KNOWN):
            assert not calls, f'{name} opens files itself ({", ".join(sorted(calls))}); use toolkit/doors.py'


def test_an_opener_would_be_found():
    assert openers('np.load(a)\nwith open(path) as file:\n    pass\npath.read_text()') == {'np.load', '.open', 'path.read_text'}


def test_whatever_a_parser_throws_becomes_one_line():
    for error in (ValueError('a\nb' * 500), MemoryError(), RecursionError('deep'), KeyError('x'), OSError(5, 'failure'), SyntaxError()):
        with pytest.raises(InputError, match='clip.json: damaged') as found, doors.parsing('clip.json', 'damaged', 'copy it again'):
            raise error
        assert '\n' not in str(found.value) and len(str(found.value)) < 300 and str(found.value).endswith('; copy it again')
    with pytest.raises(InputError, match='^mine$'), doors.parsing('clip.json', 'damaged'):
        raise InputError('mine')


def test_what_a_message_quotes_cannot_move_the_cursor_or_begin_a_line():
    error = InputError('a.json: name is "é\nerror: b\x1b[2J\u2028\ud800\t5"')
    assert str(error) == 'a.json: name is "é error: b\\x1b[2J \\ud800 5"'
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_regular_files_alone(tmp_path):
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'zero').symlink_to('/dev/zero')
    for name in ('pipe', 'zero', '.'):
        with pytest.raises(InputError, match='is not a regular file'):
            doors.read_bytes(tmp_path / name)
    for name in ('gone', 'a' * 300, 'a\0b'):
        with pytest.raises(InputError, match='no such file|cannot be read'):
            doors.read_json(tmp_path / name)
    (tmp_path / 'long').write_bytes(bytes(100))
    with pytest.raises(InputError, match='has 100 bytes, expected at most 99'):
        doors.read_bytes(tmp_path / 'long', most=99)
    assert len(doors.read_bytes(tmp_path / 'long', most=100)) == 100


def test_nothing_is_appended_through_a_link(tmp_path):
    for name in ('there', 'gone'):
        (tmp_path / 'link').symlink_to(tmp_path / name)
        if name == 'there':
            (tmp_path / name).write_text('mine')
        with pytest.raises(InputError, match='not a regular file'):
            doors.append(tmp_path / 'link', 'x')
        (tmp_path / 'link').unlink()
    assert (tmp_path / 'there').read_text() == 'mine' and not (tmp_path / 'gone').exists()
    doors.append(tmp_path / 'new' / 'log', 'a')
    doors.append(tmp_path / 'new' / 'log', 'b')
    assert (tmp_path / 'new' / 'log').read_text() == 'ab'


def test_zip_files_that_could_fill_the_memory(tmp_path):
    np.savez_compressed(tmp_path / 'a.npz', a=np.zeros(10**6))
    doors.check_zip(tmp_path / 'a.npz', 'file')
    with pytest.raises(InputError, match='compressed or overlap'):
        doors.check_zip(tmp_path / 'a.npz', 'file', stored=True)
    (tmp_path / 'a.npz').write_bytes(b'PK\3\4')
    with pytest.raises(InputError, match='damaged'):
        doors.check_zip(tmp_path / 'a.npz', 'file')


def test_a_zip_file_of_several_disks_is_told_of(tmp_path):
    """The standard library's question whether a file is a zip file fails on it in some versions of Python."""
    path = tmp_path / 'model.pth'
    torch.save(dict(state_dict=dict(weight=torch.zeros(3))), path)
    content = bytearray(path.read_bytes())
    struct.pack_into('<I', content, content.rindex(b'PK\6\7') + 16, 2)
    path.write_bytes(content)
    with pytest.raises(InputError, match='model.pth: checkpoint is damaged'):
        read_checkpoint(path)


def test_a_piece_of_a_png_that_claims_more_than_the_file_has(tmp_path):
    """OpenCV takes up to 4 GiB for it."""
    good = bytearray(cv2.imencode('.png', np.zeros((8, 8), np.uint8))[1].tobytes())
    bad = bytearray(good)
    at = bad.index(b'IDAT') - 4
    bad[at:at + 4] = b'\xff\xff\xff\xf0'
    doors.check_png('a.png', bytes(good) + b'more' * 9)
    doors.check_png('a.jpg', bytes(bad[8:]))
    for read in (lambda path: read_picture_of(path, 8, 8, color=False), read_picture):
        (tmp_path / 'a.png').write_bytes(good)
        assert read(tmp_path / 'a.png').shape[:2] == (8, 8)
        (tmp_path / 'a.png').write_bytes(bad)
        with limits('a.png'), pytest.raises(InputError, match='a.png: damaged picture: a piece of it claims 4,294,967,280 bytes'):
            read(tmp_path / 'a.png')


def test_data_without_end():
    endless, wide = {}, [0] * 1000
    endless['again'] = endless
    for content in (endless, [wide, [[wide] * 30] * 40]):
        with pytest.raises(InputError, match='is refused: its data are nested'):
            doors.check_nested(content, 'a.pth')
    doors.check_nested([wide] * 100, 'a.pth')
