"""Crops of head and hands: where they lie, and the discriminator that sees them."""

import copy

import pytest
import torch

from tests.generators.test_recordable import Host
from tests.helpers import adams
from tests.model_parts.test_head_crops import ramp, standing
from toolkit.model_parts.detail_crops import HAND, DetailCrops
from toolkit.model_parts.discriminator_view import AUGMENTATIONS
from toolkit.models.video_pix2pixhd import VideoPix2PixHD
from toolkit.registry import MODELS
from toolkit.skeletons import L_ELBOW, L_WRIST, R_WRIST
from toolkit.structures import InputError

H, W = 64, 48


def with_hands():
    """Of the right arm the wrist alone is seen; the left forearm is 4 pixels long and points down."""
    pose = standing()
    for joint, at in ((R_WRIST, (5., 20., 1.)), (L_ELBOW, (18., 14., 1.)), (L_WRIST, (18., 18., 1.))):
        pose[joint] = torch.tensor(at)
    return pose


def test_squares_lie_around_head_and_hands():
    cut = DetailCrops(size=8, head=.4, hand=.2)
    crops = cut(ramp(), cut.squares(with_hands()[None, None]))
    assert crops.shape == (3, 3, 8, 8)
    centers = crops[:, :2].mean((2, 3)) * 100
    torch.testing.assert_close(centers, torch.tensor([[12., 8.], [5., 20.], [18., 18 + 4 * HAND]]), atol=.01, rtol=0)
    spans = (crops[:, 0].amax((1, 2)) - crops[:, 0].amin((1, 2))) * 100 / 7 * 8
    torch.testing.assert_close(spans, torch.tensor([8., 4., 4.]), atol=.01, rtol=0)


def test_a_window_has_one_square_a_part_and_missing_parts_are_empty():
    first, second = with_hands(), with_hands()
    second[R_WRIST, 0] += 4
    second[L_WRIST] = 0
    cut = DetailCrops(size=8, hand=.2)
    crops = cut(ramp(), cut.squares(torch.stack([first, second])[None]))
    assert abs(crops[1, 0].mean() * 100 - 7) < .01 and abs(crops[2, 0].mean() * 100 - 18) < .01
    assert not cut(ramp(), cut.squares(torch.zeros(1, 2, 18, 3))).any()


def build(**options):
    torch.manual_seed(0)
    losses = dict(gan=dict(type='GANLoss'), l1=dict(type='L1Loss'), fm=dict(type='FeatureMatchingLoss', of='gan'),
                  details=dict(type='GANLoss'), details_fm=dict(type='FeatureMatchingLoss', of='details', weight=5.))
    details = dict(detail_crops=dict(size=32), detail_discriminator=dict(
        type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=1))
    return MODELS.build(dict(dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1), losses=losses,
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=1), **details), **options))


def test_its_discriminator_learns_and_teaches_the_generator():
    model = build()
    batch = model.example_batch(H, W)
    batch['poses'] = with_hands().expand(1, 2, -1, -1).clone()
    batch['frames'] = torch.randint(0, 256, batch['frames'].shape).to(torch.uint8)
    before = copy.deepcopy(model.state_dict())
    logs = model.train_step(batch, adams(model, d=('net_d', 'net_d_details')))
    assert {'g/details', 'g/details_fm', 'd/details_fake', 'd/details_real'} <= set(logs)
    assert all(value.isfinite() for value in logs.values())
    for name in ('net_g.', 'net_d.', 'net_d_details.'):
        assert any(not torch.equal(value, before[key]) for key, value in model.state_dict().items() if key.startswith(name)), name
    fake = torch.rand(1, 14, H, W, requires_grad=True)
    model.net_d_details(model.detail_crops(fake, model.detail_crops.squares(batch['poses'])))[0][-1].mean().backward()
    rows, columns = fake.grad.abs().sum((0, 1)).nonzero().T
    assert rows.max() < 30 and columns.max() < 30, 'what is away from head and hands is not looked at'
    assert model.net_d_details.input_nc == 2 * (4 + 3) and isinstance(model, VideoPix2PixHD)


@pytest.mark.parametrize('augmentation', [(), AUGMENTATIONS])
def test_a_step_with_details_and_a_view_needs_the_host_for_nothing(augmentation, monkeypatch):
    """Else it could not be recorded as a CUDA graph."""
    model, hosts = build(discriminator_view=dict(crop='person', background=False, augmentation=augmentation)), []

    def learning(learn, given, optim_wrapper):
        monkeypatch.setattr(model, 'step', lambda wrappers, name, loss: loss.backward())  # what optimizers do is torch's
        with Host() as host:
            logs = learn(given, optim_wrapper)
        hosts.append(host)
        return logs

    monkeypatch.setattr(model, 'learning', learning)
    batch = model.example_batch(H, W)
    batch['poses'] = with_hands().expand(1, 2, -1, -1).clone()
    model.train_step(batch, adams(model, d=('net_d', 'net_d_details')))
    assert [host.found for host in hosts] == [[]]


@pytest.mark.parametrize('options, message', [
    (dict(detail_crops=None), 'go together: give both, or none'), (dict(detail_discriminator=None), 'go together'),
    (dict(losses=dict(gan=dict(type='GANLoss'))), "needs a GANLoss of='details'"), (dict(detail_crops=dict(size=4)), 'size=4'),
    (dict(detail_crops=dict(hand=0)), 'hand=0')])
def test_what_would_do_nothing_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        build(**options)
