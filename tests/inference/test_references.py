"""References and the empty scene when a video is generated: from all footage of the person, as in a test."""

import numpy as np
import pytest
import torch
from mmengine.config import Config

from toolkit import apis
from toolkit.clips.clip import Clip
from toolkit.datasets import footage, scene
from toolkit.datasets.footage import Footage
from toolkit.datasets.plate import background_plate
from toolkit.datasets.windows import ClipWindows
from toolkit.fields import REFERENCES
from toolkit.inference import choosing
from toolkit.inference.driving import frame_steps
from toolkit.inference.garments import DressedFootage, Garments
from toolkit.inference.outfits import describe
from toolkit.registry import MODELS
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions
from toolkit.video.io import VideoWriter

SIZE = (96, 64)


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """Two clips of one person and one of another, 12 frames of 192x128."""
    root = tmp_path_factory.mktemp('footage')
    actions = SyntheticActions(height=192, width=128, actors=13, actions=16, frames=12)
    actions.write(root / 'me', actors=[0], actions=[1, 5], num_workers=1, progress=False)
    actions.write(root / 'dancer', actors=[3], actions=[2], num_workers=1, progress=False)
    return root


@pytest.fixture(scope='module')
def mine(folders):
    return [Clip(folder) for folder in sorted((folders / 'me').iterdir())]


@pytest.fixture(scope='module')
def dancer(folders):
    return Clip(next((folders / 'dancer').iterdir()))


def textured(**data):
    torch.manual_seed(0)
    model = dict(
        type='VideoPix2PixHD',
        generator=dict(type='BlendGenerator', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1)),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=1),
        losses=dict(gan=dict(type='GANLoss')), feature_maps=dict(references=2, plate=True))
    config = dict(model=model, train_dataloader=dict(dataset=data))
    return apis.Trained(MODELS.build(model).eval(), Config(config), SIZE)


def coded(lightness):
    network = dict(encoder=dict(type='ResNetEncoder', nz=2, nef=4, n_down=3))
    model = dict(
        type='VideoPix2PixHD',
        generator=dict(type='BlendGenerator', generator=dict(
            type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1, z_injection='region_rgb')),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=4, num_scales=1), losses=dict(gan=dict(type='GANLoss')),
        feature_maps=dict(references=2, plate=True, texture_lightness=lightness), color_codes=dict(up=network, down=network))
    return apis.Trained(MODELS.build(model).eval(), Config(dict(model=model)), SIZE)


def plain():
    model = dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=1), losses=dict(gan=dict(type='GANLoss')))
    return apis.Trained(MODELS.build(model).eval(), Config(dict(model=model)), SIZE)


@pytest.fixture
def read(monkeypatch):
    """(clip's folder, frame) of all references that are read."""
    found, original = [], Footage._enlarged
    monkeypatch.setattr(Footage, '_enlarged', lambda self, number, t: (
        found.append((self.clips[number].folder, t)), original(self, number, t))[1])
    return found


def test_generation_takes_the_references_that_a_test_takes(mine):
    data = ClipWindows(mine[0].folder, window=None, size=SIZE, references=dict(count=2, pool=dict(root=str(mine[1].folder))))
    item = data[0]
    poses = item['poses'].numpy()
    steps = list(frame_steps(('poses', *REFERENCES), poses, SIZE, footage=Footage(mine[1:], [np.ones(12, bool)], SIZE), references=2))
    for key in REFERENCES:
        assert steps[0][key].shape[:3] == (1, 1, 2)
        assert torch.equal(torch.cat([step[key][0] for step in steps]), item[key]), key


def test_a_video_is_generated_from_all_footage_of_the_person(mine, dancer, read, tmp_path):
    trained = textured()
    for more, used in (((), 1), ((mine[1].folder,), 2)):
        read.clear()
        out = apis.generate(trained, mine[0].folder, dancer.folder, tmp_path / f'{used}.mp4', references=more, progress=False)
        assert out.stat().st_size > 0 and len(read) == 2 * len(dancer)
        folders = {folder for folder, _ in read}
        assert mine[used - 1].folder in folders <= {clip.folder for clip in mine[:used]}
        assert len({t for _, t in read}) > 1, 'not the content frame alone'
    poses = apis.driving_poses(dancer, mine[0], SIZE)
    read.clear()
    frames = list(apis.stream(trained, mine[0], poses, SIZE, content_frame=3, references=mine[1:]))
    assert frames[0].shape == (*SIZE, 3) and mine[1].folder in {folder for folder, _ in read}


def test_the_empty_scene_is_that_of_the_content(mine, dancer, monkeypatch, tmp_path):
    trained, opened = textured(), []
    monkeypatch.setattr(type(trained.model), 'open', lambda self, **given: (
        opened.append(given), lambda frame: np.zeros((*SIZE, 3), np.uint8))[1])
    apis.generate(trained, mine[0].folder, dancer.folder, tmp_path / 'out.mp4', progress=False)
    np.testing.assert_array_equal(opened[0]['plate'][0].permute(1, 2, 0), background_plate(mine[0], SIZE))
    monkeypatch.setattr(scene, 'still_scene', lambda clip, frames: None)
    list(apis.stream(trained, mine[0], dancer.poses, SIZE, content_frame=4))
    np.testing.assert_array_equal(opened[1]['plate'][0].permute(1, 2, 0), background_plate(mine[0], SIZE, [4]))


def test_memory_does_not_grow_with_the_driving_video(mine, monkeypatch):
    monkeypatch.setattr(footage, 'KEPT_PICTURES', 5)
    found = Footage(mine, [np.ones(12, bool)] * 2, SIZE)
    poses = np.concatenate([mine[0].poses, mine[1].poses] * 2) / 2
    assert [len(found._kept) <= 5 for _ in frame_steps(REFERENCES, poses, SIZE, footage=found, references=2)] == [True] * 48


def test_a_picture_is_footage_of_one_frame(dancer, tmp_path):
    SyntheticActions(height=192, width=128, actors=13, actions=16, frames=1).write(
        tmp_path, actors=[0], actions=[1], num_workers=1, progress=False)
    picture = Clip(next(tmp_path.iterdir()))
    frames = list(apis.stream(textured(), picture, apis.driving_poses(dancer, picture, SIZE), SIZE))
    assert len(frames) == len(dancer)


def test_more_footage_is_refused_where_nothing_would_look_at_it(mine, dancer, tmp_path):
    request = apis.Request(dancer.folder, mine[0].folder, references=[mine[1].folder])
    with pytest.raises(InputError, match=r'more clips \(references\) would not be looked at'):
        request.check(plain().model)
    with pytest.raises(InputError, match=r'more clips \(references\) would not be looked at'):
        apis.stream(plain(), mine[0], dancer.poses, SIZE, references=mine[1:])
    with pytest.raises(InputError, match='nowhere: no such file'):
        apis.Request(dancer.folder, mine[0].folder, references=[tmp_path / 'nowhere'])
    assert mine[1].folder in request.inputs, 'no result is written over it'


def test_frames_have_the_size_that_is_asked_for_and_footage_is_prepared_larger(mine, dancer, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(choosing, 'as_clip', lambda path, work_dir, size, progress: asked.append(size) or Clip(path))
    chosen = apis.choose(textured(), apis.Request(dancer.folder, mine[0].folder, size=(96, 64)), tmp_path, False)
    assert next(apis.paint(textured(), chosen))[0].shape == (96, 64, 3)
    assert set(asked) == {(192, 128)}, 'references are taken at twice the size of the frames'
    with pytest.raises(InputError, match='must be a height and a width in pixels, got 0x64'):
        apis.Request(dancer.folder, mine[0].folder, size=(0, 64))


def test_references_are_as_large_as_in_training():
    assert textured().reference_scale == 2
    assert textured(references=dict(count=2)).reference_scale == 2
    assert textured(references=dict(scale=3)).reference_scale == 3
    assert textured(datasets=dict(a=dict(root='x'), b=dict(references=dict(scale=4)))).reference_scale == 4


def mean_color(frames, parts, labels):
    where = np.isin(parts, labels)
    return frames[where].astype(float).mean(0)


def test_clothes_of_other_colors_come_from_recolored_references(mine, dancer):
    whole = Footage(mine[:1], [np.ones(12, bool)], SIZE)
    garments, search = Garments(whole), whole.search()
    plain = whole.entries(search, [[3, 7]])
    red, records = garments.colored(up='#c03030')
    assert [record.region for record in records] == ['up'] and np.isnan(red[0, 1]).all()
    assert describe(records, dict(up='#c03030'))[0].startswith('upper garment: #c03030')
    dressed = DressedFootage(garments, red).entries(search, [[3, 7]])
    for key in REFERENCES:
        assert dressed[key].shape == plain[key].shape and dressed[key].dtype == plain[key].dtype
    changed = (dressed['reference_frames'] != plain['reference_frames']).any(-1)
    parts = plain['reference_parts']
    assert changed.mean() > .02 and (parts[changed] > 0).mean() > .99, 'nothing but the person'
    before, after = (mean_color(e['reference_frames'], parts, [1]) for e in (plain, dressed))
    assert after[0] - after[1] > before[0] - before[1] + 20 and after[0] > after[2]
    own = DressedFootage(garments, np.full((1, 2, 2), np.nan)).entries(search, [[3, 7]])
    np.testing.assert_array_equal(own['reference_frames'], plain['reference_frames'])


def test_outfits_of_chance_of_others_and_between(mine, dancer):
    whole = Footage(mine[:1], [np.ones(12, bool)], SIZE)
    garments = Garments(whole)
    first, again = garments.samples(3, seed=4), garments.samples(2, seed=4, regions='down')
    np.testing.assert_array_equal(first[1][0, 1], again[1][0, 1])
    assert np.isnan(again[0][0, 0]).all() and len({outfit.tobytes() for outfit in first}) == 3
    like = garments.like(dancer, 'up')
    assert np.isnan(like[0, 1]).all() and abs(like[0, 0] - garments.own[0][1:]).max() > 3
    path = garments.between(first[0], like, 5)
    np.testing.assert_allclose(path[0], first[0][0])
    np.testing.assert_allclose(path[-1], [like[0, 0], garments.own[1][1:]])
    dressed, search = DressedFootage(garments, path), whole.search()
    frames = [dressed.entries(search, [[2]])['reference_frames'] for _ in range(6)]
    assert (frames[0] != frames[4]).any() and (frames[4] == frames[5]).all(), 'the last outfit stays'


def test_a_garment_that_both_outfits_leave_stays_as_it_is_between_them(mine):
    garments = Garments(Footage(mine[:1], [np.ones(12, bool)], SIZE))
    path = garments.between(garments.colored('#c03030')[0], garments.colored('#30c030')[0], 3)
    assert np.isfinite(path[:, 0]).all() and np.isnan(path[:, 1]).all()
    same = garments.between(*[garments.colored()[0]] * 2, 2)
    whole = garments.footage.entries(garments.footage.search(), [[3]])
    np.testing.assert_array_equal(garments.recolored(whole, same[0]), whole['reference_frames'])


def test_chance_gives_no_colors_to_what_is_not_seen(mine):
    garments = Garments(Footage(mine[:1], [np.ones(12, bool)], SIZE))
    garments.own[1] = None
    assert np.isnan(garments.samples(2)[0][0, 1]).all() and np.isfinite(garments.samples(2)[0][0, 0]).all()
    with pytest.raises(InputError, match='the lower garment is not seen in the content'):
        garments.samples(2, regions='down')
    garments.own[0] = None
    with pytest.raises(InputError, match='the upper and the lower garment is not seen'):
        garments.samples(2)


def test_somebody_elses_colors_need_a_garment_to_put_them_on(mine, dancer):
    garments = Garments(Footage(mine[:1], [np.ones(12, bool)], SIZE))
    garments.own[1] = None
    with pytest.raises(InputError, match='the lower garment is not seen in the content'):
        garments.like(dancer)
    assert np.isnan(garments.like(dancer, 'up')[0, 1]).all()


def test_a_code_colors_textures_that_bring_lightness_alone(mine, dancer, tmp_path):
    request = apis.Request(dancer.folder, mine[0].folder, max_frames=1, size=SIZE, colors=apis.Colors(outfits=[',', '#c03030,']))
    with pytest.raises(InputError, match='both color codes and references'):
        request.check(coded(False).model)
    trained = coded(True)
    without = coded(True).model
    without.color_codes = None
    with pytest.raises(InputError, match='has no color codes'):
        request.check(without)
    chosen = apis.choose(trained, request, tmp_path, False)
    assert len(chosen.footage) == 2 and not torch.equal(*(opening['z'] for opening in chosen.openings))
    assert [picture.shape for picture in next(apis.paint(trained, chosen))] == [(*SIZE, 3)] * 2


def test_looks_of_a_model_with_references_need_no_codes(mine, dancer, tmp_path):
    sheet = apis.generate(textured(), mine[0].folder, dancer.folder, tmp_path / 'out.mp4', progress=False, max_frames=3,
                          colors=apis.Colors(outfits=['#c03030,', ',#2040a0', str(dancer.folder)]))
    assert sheet.suffix == '.png' and sorted(p.name for p in tmp_path.glob('*.mp4')) == ['out_0.mp4', 'out_1.mp4', 'out_2.mp4']


@pytest.mark.parametrize('colors, words', [
    (dict(like='friend.mp4'), 'nobody is seen in friend'), (dict(interpolate=(',', 'friend.mp4')), 'nobody is seen in friend'),
    (dict(down='#2040a0'), 'the lower garment is not seen')])
def test_clothes_that_cannot_be_are_refused_before_the_movement_is_prepared(mine, monkeypatch, tmp_path, colors, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'friend.mp4').touch()
    with VideoWriter(tmp_path / 'film.mp4', 25) as film:
        film.write(np.zeros((*SIZE, 3), np.uint8))

    def prepare(path, *given):
        if path == 'friend.mp4':
            raise InputError('nobody is seen in friend.mp4')
        return Clip(path) if path != 'film.mp4' else pytest.fail('a film is prepared')

    class Half(Garments):
        """A portrait."""

        def __init__(self, whole):
            super().__init__(whole)
            self.own[1] = None

    monkeypatch.setattr(choosing, 'as_clip', prepare)
    monkeypatch.setattr(choosing, 'Garments', Half)
    with pytest.raises(InputError, match=words):
        apis.choose(textured(), apis.Request('film.mp4', mine[0].folder, size=SIZE, colors=apis.Colors(**colors)), tmp_path, False)
