"""Painters of clips that obey, leak or do not listen."""

import copy

import numpy as np
import pytest
import torch

from toolkit.analysis.clip_control import Dressed, ModelPainter, RecoloringPainter, interpolate, measure_control
from toolkit.analysis.recolorable_clip import RecolorableClip
from toolkit.colors.lab_uint8 import rgb8_to_lab
from toolkit.datasets.windows import ClipWindows
from toolkit.metrics.color_control import region_mean
from toolkit.registry import MODELS
from toolkit.skeletons import LOWER_PARTS
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp('control')
    SyntheticActions(96, 64, actors=13, actions=16, frames=6).write(root, actors=[0, 1], actions=[0, 1], num_workers=1, progress=False)
    return root


@pytest.fixture(scope='module')
def clips(root):
    dataset = ClipWindows(root, window=None)
    return [RecolorableClip.read(dataset, i, 3) for i in range(len(dataset))]


class Tailor:
    """Reads the garments' mean a, b off the content frame, away from their borders, and dresses the true clip in them."""

    split = 2

    def encode(self, clip, content_frame):
        lab = rgb8_to_lab(content_frame)[None]
        return np.concatenate([region_mean(lab, weight[None])[0, 1:] for weight in clip.content_weights > 0.99])

    def paint(self, clip, z):
        codes = np.broadcast_to(z, (len(clip.frames), 4))
        return np.stack([clip.dressed(tuple(code[:2]), tuple(code[2:]))[0][t] for t, code in enumerate(codes)])


class Deaf(Tailor):
    def paint(self, clip, z):
        return clip.frames


class Sloppy(Tailor):
    """Obeys, and lets the upper code shine through the background."""

    def paint(self, clip, z):
        frames = super().paint(clip, z).copy()
        shine = np.broadcast_to(z, (len(frames), 4))[:, :1]
        frames[clip.areas['background']] = np.repeat(np.clip(128 + shine, 0, 255).astype(np.uint8), 3, 1).repeat(
            clip.areas['background'].sum((1, 2)), 0)
        return frames


def measure(painter, clips):
    return {column.region: column for column in measure_control(painter, clips, 'x')}


def test_a_painter_that_obeys(clips):
    columns = measure(Tailor(), clips)
    for region in ('up', 'down'):
        values = columns[region].values
        assert values['resp'] == pytest.approx(1, abs=0.06) and values['de'] < 3 and values['monotone'] == 1
        assert values['dab_across'] < 8 < values['dab_blind'] and columns[region].label == f'x {region}'
        assert values['moved_background'] == 0 and values['moved_head_hands'] < 0.5 and values['moved_own'] > 10 * values['moved_other']
    assert columns['both'].values['sharpness'] == pytest.approx(1, abs=0.1)
    assert columns['both'].reasons == {'pck': 'no pose estimator'}


def test_a_painter_that_does_not_listen(clips):
    columns = measure(Deaf(), clips)
    for region in ('up', 'down'):
        values = columns[region].values
        assert values['resp'] == values['monotone'] == 0
        assert [values[f'moved_{area}'] for area in ('own', 'other', 'head_hands', 'background')] == [0, 0, 0, 0]
        assert values['de'] > 15


def test_a_leak_is_found_where_it_is(clips):
    columns = measure(Sloppy(), clips)
    assert columns['up'].values['moved_background'] > 2 and columns['down'].values['moved_background'] == 0
    assert columns['up'].verdict('moved_background') == 'missed' and columns['up'].values['resp'] > 0.9


def test_a_frame_without_the_person_takes_no_part_in_sharpness(root):
    """It has no sharpness; the others still have theirs."""
    clip = RecolorableClip.read(ClipWindows(root, window=None), 0, 3)
    clip.masks = clip.masks * np.array([1, 0, 1], np.float32)[:, None, None]
    assert measure(Tailor(), [clip])['both'].values['sharpness'] == pytest.approx(1, abs=0.01)


def test_without_second_clips_there_is_a_reason(clips):
    column = measure(Tailor(), clips[:1])['up']
    assert 'de_actor' not in column.values and set(column.reasons) == {'de_actor', 'de_across'}


def test_poses_are_measured_in_both_clothes(clips):
    clip, calls = clips[0], []

    def estimator(frames):
        """Sees the true pose in looks 1 and 3 (recolored, real), nothing in look 2 (own clothes); afterwards the other way round."""
        calls.append(frames.shape)
        poses = clip.poses.copy()
        scale = frames.shape[2] / clip.frames.shape[2], frames.shape[1] / clip.frames.shape[1]
        poses[..., :2] = (poses[..., :2] + .5) * scale - .5
        return poses if len(calls) in (1, 3, 5) else 0 * poses

    both = measure_control(Deaf(), [clip], 'x', estimator)[-1]
    assert both.values == dict(both.values, pck=1, pck_real=1) and 'no joint' in both.reasons['pck_change']
    both = measure_control(Deaf(), [clip], 'x', estimator)[-1]
    assert both.values == dict(both.values, pck=0, pck_change=-1, pck_real=0) and len(calls) == 6


def test_interpolation_over_frames(clips):
    one = Dressed.draw(clips[0], Tailor(), np.random.default_rng(0))
    frames = interpolate(Tailor(), one, 'up')
    np.testing.assert_array_equal(frames[0], Tailor().paint(clips[0], one.codes[0])[0])
    np.testing.assert_array_equal(frames[-1], Tailor().paint(clips[0], one.mixed('up', 2))[-1])
    assert np.array_equal(one.mixed('both', 2), one.codes[1]) and one.mixed_outfit('both') == one.outfits[1]
    assert one.mixed_outfit('down') == (one.outfits[0][0], one.outfits[1][1])


@pytest.fixture(scope='module')
def model():
    network = dict(encoder=dict(type='ResNetEncoder', nz=2, nef=4, n_down=3))
    return MODELS.build(dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1, z_injection='region_film'),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=4, num_scales=1), losses=dict(gan=dict(type='GANLoss')),
        color_codes=dict(up=network, down=network))).eval()


def test_a_model_is_a_painter(clips, model):
    painter = ModelPainter(model)
    code = painter.encode(clips[0], clips[0].content_frame)
    dressed = painter.encode(clips[0], clips[0].dressed((60, 40), (-20, 10))[1])
    assert painter.split == 2 and code.shape == (4,) and not np.allclose(code, dressed)
    painted = painter.paint(clips[0], code)
    assert painted.shape == clips[0].frames.shape and painted.dtype == np.uint8
    assert np.array_equal(painted, painter.paint(clips[0], np.tile(code, (3, 1))))
    values = measure(painter, clips[:2])['up'].values
    assert np.isfinite([values[name] for name in ('resp', 'de', 'moved_background')]).all()


def test_a_model_without_codes_is_refused():
    model = MODELS.build(dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=4, num_scales=1), losses=dict(gan=dict(type='GANLoss'))))
    with pytest.raises(InputError, match='no color codes'):
        ModelPainter(model)


def textured_clips(root):
    """Clips whose references are of other actions of the same person."""
    dataset = ClipWindows(root, window=None, plate=True, actions=['wave_both'], references=dict(
        scale=1, garments=True, pool=dict(actions=['wave_right'])))
    return [RecolorableClip.read(dataset, i, 3) for i in range(len(dataset))]


def textured(**options):
    """A model that has learned nothing, and so copies."""
    torch.manual_seed(0)
    return MODELS.build(dict(
        type='VideoPix2PixHD',
        generator=dict(type='BlendGenerator', generator=dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1)),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=4, num_scales=1), losses=dict(gan=dict(type='GANLoss')),
        feature_maps=dict(references=2, plate=True, texture_lightness=bool(options)), **options)).eval()


def test_a_model_that_copies_obeys_by_recolored_references(root):
    columns = measure(RecoloringPainter(textured()), textured_clips(root))
    assert min(columns[region].values['resp'] for region in ('up', 'down')) > .7
    assert columns['up'].values['moved_background'] < 1 and columns['up'].values['moved_other'] < 4


def test_a_model_whose_garments_are_gray_takes_their_color_from_its_code_alone(root):
    network = dict(encoder=dict(type='ResNetEncoder', nz=2, nef=4, n_down=3))
    model = textured(color_codes=dict(up=network, down=network))
    painter, clip = ModelPainter(model), textured_clips(root)[0]
    own = painter.paint(clip, np.zeros(4))
    other = clip.item['reference_frames'].clone()
    worn = clip.item['reference_garments'].sum(-3, keepdim=True) > 250
    clip.item['reference_frames'] = other.where(~worn, other.flip(-3))
    colors = [rgb8_to_lab(frames)[..., 1:] for frames in (own, painter.paint(clip, np.zeros(4)))]
    assert np.abs(region_mean(colors[0] - colors[1], clip.weights[0])).max() < 3


def test_a_garment_that_the_content_frame_does_not_show_is_not_disobeyed(root):
    """Nothing can know its color there. It counted as 0 of the wanted change."""
    class Wary(Tailor):
        def encode(self, clip, content_frame):
            return np.nan_to_num(super().encode(clip, content_frame))

    dataset = ClipWindows(root, window=None)

    def clip(index, cut):
        item = dict(dataset.clip_part(index, 1, 4))
        low = torch.isin(item['content_parts'].long() - 1, torch.tensor(LOWER_PARTS))
        hidden = {key: item[key].masked_fill(low, 0) for key in ('content_parts', 'content_mask')}
        return RecolorableClip(item | (hidden if cut else {}))

    whole, cut = clip(0, False), clip(1, True)
    alone, both = measure(Wary(), [whole]), measure(Wary(), [whole, cut])
    assert both['down'].values['resp'] == pytest.approx(alone['down'].values['resp'])
    assert both['up'].values['resp'] == pytest.approx(1, abs=0.06)
    none = measure(Wary(), [cut])['down']
    assert not none.values and none.reasons['resp'] == 'no content frame shows this garment'


@pytest.mark.parametrize('name', ['person', 'somebody'])
def test_clips_of_nobody_known_lend_no_clothes(clips, name):
    """The name that prepared clips have by default says nothing."""
    given = [copy.copy(clip) for clip in clips[:2]]
    for clip in given:
        clip.person = name
    values = measure(Tailor(), given)['up'].values
    assert ('de_actor' in values) == (name == 'somebody') and 'de_across' not in values
