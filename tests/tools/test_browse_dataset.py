
import cv2
import numpy as np
import pytest

from toolkit.clips.clip import Clip, ClipWriter
from toolkit.datasets.sheets import DatasetSheets, shown_frames
from toolkit.datasets.tensors import drawn_item
from toolkit.engine.launch import dataset_of
from toolkit.registry import DATASETS
from toolkit.structures import InputError


@pytest.fixture
def tool(load_tool):
    return load_tool('browse_dataset')


@pytest.fixture
def clips(tmp_path):
    writer = ClipWriter(tmp_path / 'clips' / 'a', 'a', 'ann', 'wave', 64, 32, 25)
    flat = np.zeros((64, 32), np.float32)
    for t in range(6):
        writer.add(np.full((64, 32, 3), (200, 10 * t, 0), np.uint8), np.ones((18, 3)), flat, flat, flat.astype(np.uint8))
    writer.finish()
    return tmp_path / 'clips'


def run(tool, *arguments):
    with pytest.raises(SystemExit) as stop:
        tool.main([str(a) for a in arguments])
    return stop.value.code


def test_one_row_an_item(tool, clips, tmp_path, capsys):
    assert run(tool, clips, '--out', tmp_path / 'sheet.png', '--items', 3, '--height', 64) == 0
    assert 'ClipWindows: 5 items from 1 clips' in capsys.readouterr().out
    sheet = cv2.imread(str(tmp_path / 'sheet.png'))
    assert sheet.shape == (3 * 68 + 4, 12 * 36 + 4, 3)
    row, frame = 68 * 2, 36
    assert np.abs(sheet[row + 50, frame + 20].astype(int) - (0, 40, 200)).max() <= 2


def test_pages_and_a_config(tool, clips, tmp_path):
    assert run(tool, clips, '--out', tmp_path / 'pages', '--items', 5, '--rows', 2, '--height', 32) == 0
    assert sorted(p.name for p in (tmp_path / 'pages').iterdir()) == ['000.png', '001.png', '002.png']


def test_bad_sources_are_named(tool, tmp_path, capsys):
    assert run(tool, tmp_path, '--out', tmp_path / 'a.png') == 2
    assert 'no prepared clips' in capsys.readouterr().err
    assert run(tool, tmp_path / 'no.py', '--out', tmp_path / 'a.png') == 2
    assert 'no.py' in capsys.readouterr().err


@pytest.mark.parametrize('option', [['--cfg-options', 'train_dataloader.dataset.wndow=5'], ['--dataloader', 'x']])
def test_options_of_a_config_are_refused_for_a_folder(tool, clips, tmp_path, option, capsys):
    assert run(tool, clips, '--out', tmp_path / 'a.png', *option) == 2
    assert 'a folder of prepared clips has no dataloaders and no options' in capsys.readouterr().err


TRANSFER = '''
_two = dict(a=dict(root={root!r}), b={root!r})
train_dataloader = dict(dataset=dict(type='UnpairedClips', plates=True, **_two))
test_dataloader = dict(dataset=dict(type='DirectedClips', paired=True, **_two))
'''


def test_two_persons_of_a_transfer(tool, clips, tmp_path):
    """Frame, mask and empty scene of each person; whole clips with the truth, in both directions."""
    config = tmp_path / 'transfer.py'
    config.write_text(TRANSFER.format(root=str(clips)))
    assert run(tool, config, '--out', tmp_path / 'train.png', '--items', 2, '--height', 64) == 0
    sheet = cv2.imread(str(tmp_path / 'train.png'))
    assert sheet.shape == (2 * 68 + 4, 6 * 36 + 4, 3)
    assert np.abs(sheet[68 + 50, 20].astype(int) - (0, 50, 200)).max() <= 2  # frame 5 of A
    assert run(tool, config, '--out', tmp_path / 'test.png', '--height', 64, '--dataloader', 'test_dataloader') == 0
    sheet = cv2.imread(str(tmp_path / 'test.png'))
    assert sheet.shape == (2 * 68 + 4, 6 * 3 * 36 + 4, 3)
    for column in (0, 2):  # input and truth, the same clip here
        assert np.abs(sheet[50, 36 * (3 * 4 + column) + 20].astype(int) - (0, 40, 200)).max() <= 2


@pytest.mark.parametrize('kind, options', [('ClipWindows', dict(window=None)), ('DirectedClips', dict(directions=['ab']))])
def test_of_a_long_clip_only_the_frames_that_are_shown_are_read(tmp_path, monkeypatch, kind, options):
    writer, flat = ClipWriter(tmp_path / 'clip', 'clip', 'ann', 'wave', 64, 32, 25), np.zeros((64, 32), np.float32)
    for t in range(25):
        writer.add(np.full((64, 32, 3), (200, 10 * t, 0), np.uint8), np.ones((18, 3)), flat, flat, flat.astype(np.uint8))
    root, read, original = str(writer.finish().folder), [], Clip._read
    dataset = DATASETS.build(dict(type=kind, **options, **(dict(root=root) if kind == 'ClipWindows' else dict(a=root, b=root))))
    monkeypatch.setattr(Clip, '_read', lambda self, kind, t, **color: read.append(t) or original(self, kind, t, **color))
    file, = DatasetSheets(tmp_path / 'sheet.png', height=64).write(dataset)
    assert set(read) == set(shown_frames(25)) == {0, 5, 10, 14, 19, 24}
    sheet, of_frame = cv2.imread(str(file)), 5 if kind == 'ClipWindows' else 2
    for n, t in enumerate(shown_frames(25)):
        column = 36 * ((kind == 'ClipWindows') + of_frame * n)
        assert np.abs(sheet[50, column + 20].astype(int) - (0, 10 * t, 200)).max() <= 2


def test_sheets_from_a_program(clips, tmp_path):
    assert shown_frames(100) == [0, 20, 40, 59, 79, 99] and shown_frames(2) == [0, 1]
    sheets = DatasetSheets(tmp_path / 'sheet.png', items=2, height=64)
    assert sheets.write(dataset_of(clips)) == [tmp_path / 'sheet.png']
    assert cv2.imread(str(tmp_path / 'sheet.png')).shape == (2 * 68 + 4, 12 * 36 + 4, 3)
    assert DatasetSheets(tmp_path / 'look.v2', items=2, height=64).write(dataset_of(clips)) == [tmp_path / 'look.v2' / '000.png']
    with pytest.raises(InputError, match='look.v2: holds files already'):
        DatasetSheets(tmp_path / 'look.v2')
    with pytest.raises(InputError, match='sheet.png: exists already'):
        DatasetSheets(tmp_path / 'sheet.png')
    late = DatasetSheets(tmp_path / 'late.png', items=2, height=64)
    (tmp_path / 'late.png').write_text('theirs')
    with pytest.raises(InputError, match='late.png: a file of this name has come'):
        late.write(dataset_of(clips))
    assert (tmp_path / 'late.png').read_text() == 'theirs'
    with pytest.raises(InputError, match='fields depth: a Items has no add_fields'):
        DATASETS.module_dict['Items'] = Items
        (tmp_path / 'items.py').write_text("train_dataloader = dict(dataset=dict(type='Items'))")
        try:
            dataset_of(tmp_path / 'items.py', fields=['depth'])
        finally:
            del DATASETS.module_dict['Items']


class Items:
    """Draws nothing: it is asked for an index alone."""

    def __getitem__(self, index):
        return dict(index=index)


def test_a_data_set_that_draws_nothing_is_asked_for_an_index():
    assert drawn_item(Items(), 3, draw=2) == dict(index=3)
