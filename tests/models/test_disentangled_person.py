"""Disentangled Person Image Generation: what each code depends on, two stages, drawn people, and its video."""

import pytest
import torch

from tests.models.baseline_parts import batch_of, build, optimizers, step, whole_clip
from toolkit.generators.disentangled import AppearanceEncoder, CodeCritic, cut_regions
from toolkit.models.disentangled_person import as_numbers
from toolkit.skeletons import L_ANKLE, L_HIP, L_KNEE
from toolkit.structures import InputError

OPTIONS = dict(
    encoder=dict(nef=4, region_code=3, scene_code=5, n_down=2), generator=dict(type='UNet', n_down=3, ngf=4),
    discriminator=dict(type='PatchGAN', ndf=4, n_layers=1),
    losses=dict(gan=dict(type='GANLoss'), l1=dict(type='L1Loss', of='frames', weight=10.0), pose=dict(type='L1Loss'),
                codes=dict(type='GANLoss', objective='hinge')), mappings_from=0.5)
NETWORKS = dict(g=['net_g', 'net_e', 'net_p', 'net_m'], d=['net_d', 'net_c'])


def test_each_stage_trains_its_networks(clips):
    model = build('DisentangledPerson', **OPTIONS)
    batch, wrappers = batch_of(clips, model), optimizers(model, 1e-2, **NETWORKS)
    logs, changed = step(model, batch, wrappers, 0)
    assert changed == {'net_g', 'net_e', 'net_p', 'net_d'} and set(logs) == {'g/gan', 'g/l1', 'g/pose', 'd/fake', 'd/real'}
    assert model.stage == 0
    logs, changed = step(model, batch, wrappers, 5)
    assert changed == {'net_m', 'net_c'} and set(logs) == {'g/codes', 'd/codes_fake', 'd/codes_real'}
    assert model.stage == 1


def test_the_code_of_the_person_knows_nothing_of_the_scene_and_the_other_way_round(clips):
    model = build('DisentangledPerson', **OPTIONS)
    batch = model.data_preprocessor(batch_of(clips, model))
    frames, poses = batch['frames'].flatten(0, 1), batch['poses'].flatten(0, 1)
    masks = (batch['masks'].flatten(0, 1) > 0.5).float()
    person, scene = model.net_e.dims
    assert (person, scene) == (21, 5)
    with torch.no_grad():
        code = model.net_e(frames, poses, masks)
        other_scene = model.net_e(torch.where(masks > 0, frames, -frames), poses, masks)
        other_person = model.net_e(torch.where(masks > 0, -frames, frames), poses, masks)
    torch.testing.assert_close(other_scene[:, :person], code[:, :person])
    torch.testing.assert_close(other_person[:, person:], code[:, person:])
    assert (other_scene - code)[:, person:].abs().max() > 1e-4 and (other_person - code)[:, :person].abs().max() > 1e-4


def test_codes_tell_pictures_apart_from_the_first_step(clips):
    model = build('DisentangledPerson', **dict(OPTIONS, encoder=dict(nef=16)))
    batch = model.data_preprocessor(batch_of(clips, model))
    frames, poses, masks = (batch[key].flatten(0, 1) for key in ('frames', 'poses', 'masks'))
    with torch.no_grad():
        codes = model.net_e(torch.cat([frames, -frames]), poses.repeat(2, 1, 1), masks.repeat(2, 1, 1, 1))
    assert all(code.std(0).mean() > 0.05 for code in codes.split(model.net_e.dims, 1))


def test_regions_are_cut_around_their_joints(clips):
    pose = torch.from_numpy(clips[0].poses[:1]).float().clone()
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(64.0), indexing='ij')
    leg = cut_regions(torch.stack([x, y])[None], pose, 16)[0, 6]
    joints = pose[0, [L_HIP, L_KNEE, L_ANKLE], :2]
    middle = (joints.amin(0) + joints.amax(0)) / 2
    torch.testing.assert_close(leg[:, 7:9, 7:9].mean((1, 2)), middle, atol=0.6, rtol=0)
    pose[:, [L_HIP, L_KNEE, L_ANKLE], 2] = 0
    cut = cut_regions(torch.ones(1, 1, 96, 64), pose, 16)
    assert not cut[0, 6].any() and cut[0, 5].any()
    assert AppearanceEncoder(region_code=32, scene_code=128, nef=4).dims == (224, 128)


def test_a_pose_as_numbers():
    pose = torch.zeros(1, 18, 3)
    pose[0, 3] = torch.tensor([16.0, 24.0, 0.7])
    numbers = as_numbers(pose, 96, 64).reshape(18, 3)
    assert numbers[3].tolist() == [0.25, 0.25, 1.0] and numbers.count_nonzero() == 3


def test_mappings_learn_the_spread_of_codes():
    """What is drawn comes to have the mean of the real codes, which the first drawings do not."""
    torch.manual_seed(0)
    model = build('DisentangledPerson', **OPTIONS)
    real = torch.randn(64, sum(model.dims)) * 0.3 + 2
    g, d = (torch.optim.Adam(net.parameters(), 1e-3, (0.5, 0.9)) for net in (model.net_m, model.net_c))
    gan = model.losses['codes']

    def distance():
        with torch.no_grad():
            return (model.net_m(torch.randn(64, sum(model.dims))).mean(0) - 2).abs().mean()

    before = distance()
    for _ in range(60):
        made = model.net_m(torch.randn(64, sum(model.dims)))
        d.zero_grad()
        (gan(model.net_c(made.detach()), real=False, for_discriminator=True)
         + gan(model.net_c(real), real=True, for_discriminator=True)).backward()
        d.step()
        g.zero_grad()
        gan(model.net_c(made)).backward()
        g.step()
    assert before > 1.5 and distance() < 0.5 * before
    assert len(CodeCritic((3, 5))(torch.zeros(2, 8))) == 2


def test_drawing_and_video(clips):
    model = build('DisentangledPerson', **OPTIONS).eval()
    codes, poses = model.sample(3, seed=1)
    assert codes.shape == (3, 26) and poses.shape == (3, 18, 3) and set(poses[..., 2].unique().tolist()) <= {0.0, 1.0}
    torch.testing.assert_close(model.sample(3, seed=1)[0], codes)
    with torch.no_grad():
        for p in model.net_g.parameters():
            p.mul_(20)
    data = whole_clip(clips, model)
    before = model.test_step(data)[0]['generated']
    assert before.shape == (4, 96, 64, 3)
    data['content_frame'] = 255 - data['content_frame']
    assert (model.test_step(data)[0]['generated'] != before).any()


@pytest.mark.parametrize('options, words', [(dict(mappings_from=0), 'mappings_from=0'), (dict(losses=dict(
    l1=dict(type='L1Loss', of='frames'))), 'of="pose"')])
def test_options_that_cannot_be(options, words):
    with pytest.raises(InputError, match=words):
        build('DisentangledPerson', **dict(OPTIONS, **options))
