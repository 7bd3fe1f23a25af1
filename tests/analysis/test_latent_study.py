"""What is refused before codes are measured; tests/tools/test_visualize_latent.py measures."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.config import Config

from toolkit.analysis.latent_study import LatentStudy, study_labels
from toolkit.structures import InputError


def test_checkpoints_are_called_by_their_folders_unless_these_are_alike():
    paths = [Path('runs/up/iter_1.pth'), Path('runs/up/iter_2.pth'), Path('runs/down/iter_1.pth')]
    assert study_labels(paths, None) == ['up/iter_1', 'up/iter_2', 'down']
    assert study_labels(paths[1:], ['a', 'b']) == ['a', 'b']
    with pytest.raises(InputError, match='2 different names are needed, one for each checkpoint, got a/b, a_b'):
        study_labels(paths[1:], ['a/b', 'a_b'])


@pytest.mark.parametrize('options, message', [
    (dict(frames=39), 'frames must be at least 40'), (dict(clips=0), 'clips must be at least 1'),
    (dict(clip_frames=1), 'clip-frames must be at least 2'), (dict(seed=-1), 'seed'),
])
def test_numbers_that_cannot_be(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        LatentStudy(tmp_path / 'out', **options)


def test_two_that_measure_into_one_folder_do_not_meet(tmp_path, monkeypatch):
    one, other, later = (LatentStudy(tmp_path / 'out') for _ in range(3))
    monkeypatch.chdir(tmp_path)
    with one.held():
        with pytest.raises(InputError, match='out: another process measures into this folder; wait for it, or choose'), other.held():
            pass
        (tmp_path / 'out').mkdir()
        monkeypatch.chdir(tmp_path / 'out')
        with pytest.raises(InputError, match='another process measures into this folder'), LatentStudy('.').held():
            pass
        (tmp_path / 'out' / 'codes.png').write_bytes(b'of the first')
    with pytest.raises(InputError, match='out: holds files already; say --overwrite'), later.held():
        pass
    with LatentStudy(tmp_path / 'out', overwrite=True).held():
        pass
    assert [path.name for path in tmp_path.iterdir()] == ['out'], 'the lock is gone'


def test_models_without_codes_or_clips_are_refused(tmp_path):
    study, windows = LatentStudy(tmp_path / 'out'), dict(dataset=dict(type='ClipWindows', root='clips'))
    with pytest.raises(InputError, match='a.pth is of a SimpleNamespace without color codes'):
        study.check(SimpleNamespace(encoder=None, codes=None, references=0), Config(), 'a.pth', 'a')
    pairs = Config(dict(train_dataloader=windows, test_dataloader=dict(dataset=dict(type='DirectedClips', a='a', b='b'))))
    with pytest.raises(InputError, match='no test_dataloader with a dataset of prepared clips, such as ClipWindows'):
        study.check(SimpleNamespace(encoder=object(), codes=None), pairs, 'a.pth', 'a')
    clips = Config(dict(train_dataloader=windows, test_dataloader=windows))
    stage1, stage2 = SimpleNamespace(encoder=object(), codes=None), SimpleNamespace(encoder=None, codes=object())
    study.check(stage1, clips, 'a.pth', 'mine')
    study.check(stage1, clips, 'b.pth', 'mine_up')
    with pytest.raises(InputError, match='--labels: the codes of mine would go into codes_mine_up.npz, as those of another checkpoint'):
        study.check(stage2, clips, 'c.pth', 'mine')
    assert not (tmp_path / 'out').exists()
