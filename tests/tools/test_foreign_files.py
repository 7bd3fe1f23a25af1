"""Whatever lies in the folder that results go to: no command removes or changes a file that it did not make."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.config import Config

from toolkit import apis
from toolkit.inference import choosing
from toolkit.preparing import batch
from toolkit.preparing.prepare import prepare_video
from toolkit.registry import MODELS
from toolkit.video.io import VideoWriter

SIZE = (64, 32)
FRAMES = ('frames/000000.png', 'frames/000007.png')
PLACES = ('dance', 'dance.old', 'dance.partial', '.dance.partial', '.dance.old', 'other', 'result.prepared', 'result.prepared/dance')
INSIDE = ('notes.txt', 'manifest.json', 'poses.npz', 'source.jpg', 'old/notes.txt', *FRAMES)
FILES = ('report.html', '.report.lock', '.dance.lock', 'result.mp4', 'result_0.mp4', 'result.png', 'result.partial.mp4',
         'dance', 'notes.txt')
NAMES = ('dance', '.', '..', '../precious', 'other', 'dance.old', '/tmp', 'a/b')


class Person:
    """Finds the same person in every frame, and all of the frame to be the person."""

    name, version = 'Person', '1'
    POINTS = np.array([
        (.5, .1), (.5, .2), (.35, .2), (.3, .35), (.3, .45), (.65, .2), (.7, .35), (.7, .45), (.4, .5), (.4, .7), (.4, .9),
        (.6, .5), (.6, .7), (.6, .9), (.45, .08), (.55, .08), (.4, .1), (.6, .1)])

    def __call__(self, frames, poses=None):
        if poses is not None:
            return np.ones(frames.shape[:3], np.float32)
        pose = np.concatenate([self.POINTS * (frames.shape[2], frames.shape[1]), np.ones((18, 1))], 1)
        return np.repeat(pose[None].astype(np.float32), len(frames), 0)


class Edges:
    """None."""

    name, version = 'Edges', '1'

    def __call__(self, frames):
        return np.zeros(frames.shape[:3], np.float32)


@pytest.fixture(scope='module')
def parts():
    torch.manual_seed(0)
    model = dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=4, n_down=1, n_blocks=1),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=4, n_layers=1, num_scales=1),
        losses=dict(gan=dict(type='GANLoss')))
    return apis.Trained(MODELS.build(model).eval(), Config(dict(model=model)), SIZE)


@pytest.fixture(scope='module')
def inputs(tmp_path_factory):
    """A video, a picture and a clip of ours, to be copied."""
    folder = tmp_path_factory.mktemp('inputs')
    picture = np.full((128, 64, 3), 120, np.uint8)
    with VideoWriter(folder / 'dance.mp4', 25) as video:
        for t in range(3):
            video.write(picture + np.uint8(9 * t))
    cv2.imwrite(str(folder / 'me.png'), picture)
    prepare_video(folder / 'dance.mp4', folder / 'clips', Person(), Edges(), Person(), *SIZE)
    return folder


def fill(folder, inputs, layout, clip):
    """Lay out a folder that somebody works in."""
    shutil.copy(inputs / 'dance.mp4', folder)
    shutil.copy(inputs / 'me.png', folder)
    out = folder / 'out'
    out.mkdir()
    (folder / 'precious').mkdir()
    (folder / 'precious' / 'thesis.txt').write_text('years of work')
    if clip:
        shutil.copytree(inputs / 'clips' / 'dance', out / clip)
    for place, kind in layout:
        path = out / place
        if any(p.is_file() or p.is_symlink() for p in (path, *path.parents)) or path.is_dir():
            continue
        if (place, kind) == ('.dance.lock', 'empty'):
            continue  # that is what a lock of ours is, and locks go
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == 'link':
            path.symlink_to(folder / 'precious' / 'thesis.txt')
        elif kind == 'picture':
            shutil.copy(inputs / 'me.png', path)
        else:
            path.write_text({'json': '{"name": "my app"}', 'text': f'mine: {place}', 'empty': ''}[kind])


def contents(folder):
    """Path -> what is there: of links where they lead, of files their bytes."""
    found = {}
    for path in sorted(folder.rglob('*')):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = os.readlink(path)
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


layouts = st.lists(st.tuples(
    st.one_of(st.sampled_from(FILES), st.tuples(st.sampled_from(PLACES), st.sampled_from(INSIDE)).map('/'.join)),
    st.sampled_from(('text', 'json', 'empty', 'picture', 'link'))), max_size=4)
prepares = st.tuples(
    st.just('prepare'), st.sampled_from(('dance.mp4', 'out/dance', 'out', 'me.png')),
    st.one_of(st.none(), st.sampled_from(NAMES)), st.booleans())
generates = st.tuples(
    st.just('generate'), st.sampled_from(('dance.mp4', 'out/dance', 'out/result.mp4', 'me.png')),
    st.sampled_from(('out/result.mp4', 'dance.mp4', 'me.mp4', 'out/dance/result.mp4')), st.booleans())


def run(load_tool, folder, command):
    kind, source, target, flag = command
    if kind == 'prepare':
        words = [folder / source, '--out', folder / 'out', '--size', '64x32', *(['--name', target] if target else []),
                 *(['--overwrite'] if flag else [])]
        tool = 'prepare_data'
    else:
        words = ['model.pth', '--content', folder / 'me.png', '--driving', folder / source, '--out', folder / target,
                 '--work-dir', folder / ('out' if flag else 'out/result.prepared'), *(['--sample', '2'] if flag else [])]
        tool = 'generate'
    with pytest.raises(SystemExit) as end:
        load_tool(tool).main(list(map(str, words)))
    return end.value.code


def without_networks(monkeypatch, parts):
    """The tools with parts that take no time."""
    def stubs(*configs):
        return (Person(), Edges(), Person()), {}

    monkeypatch.setattr(batch, 'build_parts', stubs)
    monkeypatch.setattr('toolkit.inference.clips.build_parts', stubs)
    monkeypatch.setattr(apis, 'load', lambda *words: parts)
    monkeypatch.setattr(apis.Request, 'check', lambda *words: None)
    monkeypatch.setattr(choosing, 'Garments', lambda footage: None)
    monkeypatch.setattr(choosing, 'DressedFootage', lambda garments, outfit: None)
    monkeypatch.setattr(choosing, '_outfits', lambda wears, colors, *more: [None] * max(1, colors.samples))


def test_the_commands_do_work_where_nothing_is_in_the_way(load_tool, monkeypatch, parts, inputs, tmp_path):
    without_networks(monkeypatch, parts)
    fill(tmp_path, inputs, [], None)
    for command in (('prepare', 'dance.mp4', None, False), ('prepare', 'dance.mp4', 'dance', True),
                    ('generate', 'dance.mp4', 'out/result.mp4', False), ('generate', 'dance.mp4', 'out/outfits.mp4', True)):
        assert run(load_tool, tmp_path, command) == 0, command
    made = {path.name for path in (tmp_path / 'out').iterdir()}
    assert {'dance', 'report.html', 'result.mp4', 'outfits_0.mp4', 'outfits_1.mp4', 'outfits.png'} <= made


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(layout=layouts, clip=st.sampled_from((None, 'dance', 'dance.old')), commands=st.lists(st.one_of(prepares, generates), min_size=1,
                                                                                              max_size=2))
def test_no_command_removes_or_changes_what_it_did_not_make(load_tool, monkeypatch, parts, inputs, layout, clip, commands):
    without_networks(monkeypatch, parts)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, inputs, layout, clip)
        before = contents(folder)
        ours = {f'out/{clip}/{name}' for name in contents(inputs / 'clips' / 'dance')}
        for command in commands:
            if run(load_tool, folder, command) == 0:
                event = contents(folder)
                before = {path: event.get(path, 'gone') if path in ours and command[0] == 'prepare' and command[3] else was
                          for path, was in before.items()}
        after = contents(folder)
        assert {path: after.get(path, 'gone') for path in before} == before
