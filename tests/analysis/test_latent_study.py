"""What is refused before codes are measured; tests/tools/test_visualize_latent.py measures."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from mmengine.config import Config

from toolkit import fields
from toolkit.analysis import latent_study
from toolkit.analysis.code_probes import Points
from toolkit.analysis.latent_study import LatentStudy, study_labels
from toolkit.registry import REGION_ENCODERS
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


def test_a_checkpoint_chooses_among_clips_that_are_there_and_nothing_else(tmp_path, clips):
    model = SimpleNamespace(added_fields=())
    taught = dict(type='TaughtWindows', teacher=str(tmp_path / 'teacher.pth'), allow_imports=['somebodys_module'], split=None)

    def bank(**dataset):
        half = dict(dataset=dict(taught, **dataset))
        return LatentStudy(tmp_path / 'out')._bank(model, Config(dict(train_dataloader=half, test_dataloader=half)), 'train')

    assert len(bank(root=str(clips[0].folder.parent)).frames), 'no teacher was looked for'
    with pytest.raises(InputError, match='no prepared clips'):
        bank(root=str(tmp_path / 'rendered'), synthetic=dict(height=64, width=48, frames=4, actors=[0], actions=['wave_both']))
    assert not (tmp_path / 'rendered').exists()
    lent = dict(root=str(tmp_path / 'lent'), synthetic=dict(height=64, width=48, frames=4, actors=[0], actions=['wave_both']))
    half = dict(dataset=dict(taught, root=str(clips[0].folder.parent), references=dict(pool=lent)))
    with pytest.raises(InputError, match='references.pool: .*lent: no prepared clips'):
        LatentStudy(tmp_path / 'out')._test_clips(model, Config(dict(train_dataloader=half, test_dataloader=half)))
    assert not (tmp_path / 'lent').exists()


def test_the_untrained_encoder_begins_as_the_trained_one_did(tmp_path, monkeypatch):
    encoder = dict(type='RegionEncoder', encoder=dict(type='ResNetEncoder', nz=3, nef=4, n_down=3, init='xavier', logvar_bias=0.))
    picture, probed = np.zeros((8, 8, 3), np.uint8), []

    def probe(encode, *_):
        probed.append(encode)
        return dict(r2_mu=0., r2_other=0.), Points(np.zeros((4, 3)), np.zeros((4, 2)))

    for name, instead in (('encoder_of', lambda encoder, *_: encoder), ('probe_encoder', probe), ('probe_pictures', lambda *_: {}),
                          ('interpolated_pictures', lambda *_, **__: [('a', picture, [picture], picture)])):
        monkeypatch.setattr(latent_study, name, instead)
    study = LatentStudy(tmp_path / 'out')
    monkeypatch.setattr(study, '_bank', lambda *_: None)
    model = SimpleNamespace(encoder=REGION_ENCODERS.build(dict(encoder)), data_preprocessor=SimpleNamespace(device='cpu'))
    study.look_at(model, Config(dict(model=dict(encoder=encoder))), 'mine')
    trained, untrained = (encode.network for encode in probed)
    assert trained is model.encoder.network and untrained.logvar.bias.tolist() == [0, 0, 0], 'not -4, the default'
    assert .5 < untrained.stem.weight.std() / trained.stem.weight.std() < 2, 'kaiming would be many times as large'


def test_frames_have_the_added_fields_that_the_model_paints_from(tmp_path, clips, monkeypatch):
    monkeypatch.setattr(fields, 'ADDED', dict(fields.ADDED))

    @fields.add('redness')
    def redness(frames):
        return frames[..., 0]

    picture, banks = np.zeros((8, 8, 3), np.uint8), []
    for name, instead in (('encoder_of', lambda *_: None), ('probe_pictures', lambda model, bank, seed: banks.append(bank) or {}),
                          ('probe_encoder', lambda *_: (dict(r2_mu=0., r2_other=0.), Points(np.zeros((4, 3)), np.zeros((4, 2))))),
                          ('interpolated_pictures', lambda *_, **__: [('a', picture, [picture], picture)])):
        monkeypatch.setattr(latent_study, name, instead)
    half = dict(dataset=dict(type='ClipWindows', root=str(clips[0].folder.parent)))
    encoder = dict(type='RegionEncoder', encoder=dict(type='ResNetEncoder', nz=3, nef=4, n_down=3))
    model = SimpleNamespace(encoder=REGION_ENCODERS.build(dict(encoder)), data_preprocessor=SimpleNamespace(device='cpu'),
                            added_fields=('redness',))
    config = Config(dict(model=dict(encoder=encoder), train_dataloader=half, test_dataloader=half))
    LatentStudy(tmp_path / 'out').look_at(model, config, 'mine')
    bank, = banks
    assert np.array_equal(bank.batch(bank.frames, [2, 5])['redness'][:, 0, 0], bank.frames[[2, 5], ..., 0])


def test_clips_that_cannot_be_painted_are_told_before_codes_are_measured(tmp_path, monkeypatch):
    def refuse(*_):
        raise InputError('clip walk: no lower garment is seen')

    study, encoder = LatentStudy(tmp_path / 'out'), SimpleNamespace(nz=2, config={})
    codes = SimpleNamespace(up=encoder, down=encoder, mean=np.zeros(4), std=np.ones(4))
    monkeypatch.setattr(study, '_test_clips', refuse)
    monkeypatch.setattr(study, '_probe', lambda *_, **__: pytest.fail('codes were measured'))
    with pytest.raises(InputError, match='no lower garment is seen'):
        study.look_at(SimpleNamespace(encoder=None, codes=codes, data_preprocessor=None), Config(), 'mine')


def test_pictures_of_a_strip_are_named_by_their_frames_of_the_clip(tmp_path, monkeypatch):
    picture, drawn = np.zeros((8, 8, 3), np.uint8), []
    part = SimpleNamespace(name='walk', numbers=np.arange(46, 49), frames=picture[None].repeat(3, 0),
                           dressed=lambda *_: (picture[None], picture))
    dressed = SimpleNamespace(clip=part, content=[picture], mixed_outfit=lambda region: ((0, 0), (0, 0)))
    for name, instead in (('RecoloringPainter', lambda *_: None), ('measure_control', lambda *_: []),
                          ('interpolate', lambda *_: part.frames), ('Dressed', SimpleNamespace(draw=lambda *_: dressed)),
                          ('draw_strips', lambda strips, path, captions, title: drawn.append(captions))):
        monkeypatch.setattr(latent_study, name, instead)
    study = LatentStudy(tmp_path / 'out')
    monkeypatch.setattr(study, '_test_clips', lambda *_: [part])
    study.look_at(SimpleNamespace(encoder=None, codes=None), Config(dict(train_dataloader=dict(dataset=dict()))), 'mine')
    assert drawn == [['frame 46', 'frame 47', 'frame 48']]
