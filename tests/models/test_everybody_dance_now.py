"""Everybody Dance Now: sizes as published, its three stages, faces at their places, and its video."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.baseline_parts import batch_of, build, optimizers, parameters, step, whole_clip
from toolkit.engine.launch import load_config
from toolkit.model_parts.face_crops import FaceCrops
from toolkit.models.everybody_dance_now import unroll
from toolkit.registry import MODELS
from toolkit.skeletons import NOSE
from toolkit.structures import InputError

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'baselines' / 'everybody_dance_now.py'
OPTIONS = dict(
    generator=dict(ngf=4, n_down=1, n_blocks=1, n_local_blocks=1),
    discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=2),
    face_generator=dict(type='GlobalGenerator', ngf=8, n_down=1, n_blocks=1),
    face_discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=1, num_scales=1, norm='batch'), face_size=16,
    losses=dict(gan=dict(type='GANLoss'), fm=dict(type='FeatureMatchingLoss', of='gan', weight=10.0),
                l1=dict(type='L1Loss', of='frames', weight=5.0), face=dict(type='GANLoss'),
                face_l1=dict(type='L1Loss', of='face_frames', weight=5.0)),
    stages=(0.2, 0.8))
NETWORKS = dict(g=['net_g', 'net_g_coarse', 'net_g_face'], d=['net_d', 'net_d_face'])


def test_networks_have_the_published_sizes():
    cfg = load_config(CONFIG).model.to_dict()
    cfg['losses']['perceptual']['weight'] = cfg['losses']['face_perceptual']['weight'] = 0
    with torch.device('meta'):
        model = MODELS.build(cfg)
    assert parameters(model.net_g_face) == 26_724_291 and parameters(model.net_d_face) == 2_769_601
    assert parameters(model.net_g_coarse) == 182_443_267 + 3 * 49 * 64
    assert parameters(model.net_d) == 8_303_427 + 3 * 6 * 64 * 16
    assert model.net_g.trunk.state_dict().keys() == model.net_g_coarse.trunk.state_dict().keys()


def test_each_stage_trains_its_networks(clips):
    model = build('EverybodyDanceNow', **OPTIONS)
    batch, wrappers = batch_of(clips, model, size=3), optimizers(model, 1e-2, **NETWORKS)
    logs, changed = step(model, batch, wrappers, 0)
    assert changed == {'net_g_coarse', 'net_d'} and set(logs) == {'g/gan', 'g/fm', 'g/l1', 'd/fake', 'd/real'}
    coarse = {key: value.clone() for key, value in model.net_g_coarse.trunk.state_dict().items()}
    with torch.no_grad():
        for p in model.net_g.trunk.parameters():
            p.zero_()
    _, changed = step(model, batch, optimizers(model, 0.0, **NETWORKS), 2)
    assert all(torch.equal(value, coarse[key]) for key, value in model.net_g.trunk.state_dict().items())
    _, changed = step(model, batch, wrappers, 5)
    assert changed == {'net_g', 'net_d'}
    assert not torch.equal(model.net_g.trunk.stem[0].weight, coarse['stem.0.weight'])
    logs, changed = step(model, batch, wrappers, 9)
    assert changed == {'net_g_face', 'net_d_face'}
    assert set(logs) == {'g/gan', 'g/fm', 'g/l1', 'g/face', 'g/face_l1', 'd/face_fake', 'd/face_real'}


def test_two_frames_count_twice_in_the_local_stage(clips):
    model = build('EverybodyDanceNow', **dict(OPTIONS, stages=(0, 1)))
    batch = batch_of(clips, model)
    figures, real = (model.data_preprocessor(batch)[key] for key in ('pose_maps', 'frames'))
    fake = unroll(model.net_g, 2 * figures - 1)
    logs, _ = step(model, batch, optimizers(model, **NETWORKS))
    torch.testing.assert_close(logs['g/l1'], 2 * 5 * (fake - real).abs().mean().detach())


def test_the_second_frame_teaches_the_first():
    model = build('EverybodyDanceNow', **OPTIONS)
    figures = torch.randn(1, 2, 3, 32, 32, requires_grad=True)
    unroll(model.net_g, figures)[:, 1].square().sum().backward()
    assert figures.grad[:, 0].abs().sum() > 0


def test_the_face_stage_trains_what_generation_paints(clips):
    """The second frame is painted from the first with its face, and whole frames teach the face, through both."""
    model = build('EverybodyDanceNow', **dict(OPTIONS, stages=(0, 0)))
    batch, seen = batch_of(clips, model, size=1), {}
    compute = model.losses.compute
    model.losses.compute = lambda group, given, *rest: compute(group, seen.setdefault(group, given), *rest)
    model.losses.weights.update(dict.fromkeys(('gan', 'fm', 'face', 'face_l1'), 0.0))
    logs, changed = step(model, batch, optimizers(model, **dict(NETWORKS, d=['net_d_face'])), 5)
    assert 'net_g_face' in changed and 'net_g' not in changed
    fake, real = (seen['frames'][name].detach() for name in ('fake', 'real'))
    torch.testing.assert_close(logs['g/l1'], 2 * 5 * (fake - real).abs().mean())
    model = build('EverybodyDanceNow', **dict(OPTIONS, stages=(0, 0))).eval()
    model.reached.fill_(2)
    video = model.test_step(whole_clip(clips, model))[0]['generated'][:2]
    np.testing.assert_array_equal(model.data_preprocessor.to_uint8(fake).numpy(), video)


def test_faces_are_cut_and_put_back_where_they_are(clips):
    poses = torch.from_numpy(clips[0].poses[:3]).float().clone()
    poses[1] = 0
    poses[2, NOSE] = torch.tensor([2.0, 1.0, 1.0])
    frames, crops = torch.rand(3, 3, 96, 64), FaceCrops(poses, 16, 96, 64)
    cut = crops.cut(frames)
    x, y = (int(round(float(v) - 8)) for v in poses[0, NOSE, :2])
    torch.testing.assert_close(cut[0], frames[0, :, y:y + 16, x:x + 16])
    torch.testing.assert_close(cut[2], frames[2, :, :16, :16])
    assert not cut[1].any() and crops.seen.tolist() == [True, False, True]
    added = crops.add(frames, torch.ones(3, 3, 16, 16)) - frames
    assert added[1].abs().sum() == 0 and added[0, :, y:y + 16, x:x + 16].min() > 0.99
    assert added.sum() == pytest.approx(2 * 3 * 16 * 16, rel=1e-4)
    with pytest.raises(InputError, match='face_size=80'):
        FaceCrops(poses, 80, 96, 64)


def test_video_of_each_stage(clips):
    model = build('EverybodyDanceNow', **OPTIONS).eval()
    data, videos = whole_clip(clips, model), []
    for stage in range(3):
        model.reached.fill_(stage)
        videos.append(model.test_step(data)[0]['generated'])
        assert videos[-1].shape == (4, 96, 64, 3)
    assert (videos[0] != videos[1]).any()
    crops = FaceCrops(data['poses'][0].float(), 16, 96, 64)
    (x, y), differs = crops.corners[0], (videos[1] != videos[2]).any(-1)
    assert differs[0, y:y + 16, x:x + 16].any()
    differs[0, y:y + 16, x:x + 16] = False
    assert not differs[0].any() and differs[1:].any()
    data['content_frame'] = 255 - data['content_frame']
    np.testing.assert_array_equal(model.test_step(data)[0]['generated'], videos[2])


def test_the_global_stage_shows_what_it_trains(clips):
    """Without enhancers, too, where both generators paint frames of the same size."""
    model = build('EverybodyDanceNow', **dict(OPTIONS, generator=dict(OPTIONS['generator'], n_enhancers=0)))
    _, changed = step(model, batch_of(clips, model), optimizers(model, 1e-2, **NETWORKS))
    assert changed == {'net_g_coarse', 'net_d'}
    data, videos = whole_clip(clips, model.eval()), []
    for network in (None, model.net_g, model.net_g_coarse):
        if network is not None:
            network.head.conv.bias.detach().add_(1)
        videos.append(model.test_step(data)[0]['generated'])
    np.testing.assert_array_equal(videos[1], videos[0])
    assert (videos[2] != videos[0]).any()


@pytest.mark.parametrize('side, words', [
    (15, 'model.face_size=15 does not fit GlobalGenerator: .*multiples of 2'), (80, 'model.face_size=80, but frames are 96x64')])
def test_faces_that_do_not_fit_are_refused_before_training(side, words):
    data = [dict(frames=torch.zeros(2, 3, 96, 64))]
    with pytest.raises(InputError, match=words):
        build('EverybodyDanceNow', **dict(OPTIONS, face_size=side)).check_data(data)
    build('EverybodyDanceNow', **dict(OPTIONS, face_size=side, stages=(0, 1))).check_data(data)  # a run without faces
    model = build('EverybodyDanceNow', **OPTIONS)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    model.check_data(data)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(network.training for network in model.modules())


@pytest.mark.parametrize('options, words', [
    (dict(stages=(0.5, 0.2)), 'two rising shares'), (dict(face_discriminator=None), 'go together'),
    (dict(losses=dict(l1=dict(type='L1Loss', of='frames'))), 'would not learn')])
def test_options_that_cannot_be(options, words):
    with pytest.raises(InputError, match=words):
        build('EverybodyDanceNow', **dict(OPTIONS, **options))
