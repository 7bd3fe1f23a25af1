"""vid2vid: flow and warping by what is known, what each loss and discriminator is given, memory, and its video."""

import cv2
import numpy as np
import pytest
import torch

from tests.models.baseline_parts import batch_of, build, optimizers, step, whole_clip
from toolkit.generators.flow_generator import FlowGenerator, move
from toolkit.model_parts.classical_flow import batch_flow, flow_between
from toolkit.models.vid2vid import triples
from toolkit.structures import InputError

OPTIONS = dict(
    generator=dict(ngf=4, n_down=1, n_blocks=2), discriminator=dict(type='MultiscaleDiscriminator', ndf=4, n_layers=1, num_scales=1),
    losses=dict(gan=dict(type='GANLoss'), temporal=dict(type='GANLoss'),
                temporal_fm=dict(type='FeatureMatchingLoss', of='temporal', n_layers=1),
                flow=dict(type='L1Loss', masked=True, weight=10.0), warp=dict(type='L1Loss', weight=10.0),
                carried=dict(type='L1Loss', masked=True, weight=10.0), painted=dict(type='L1Loss', masked=True, weight=1.0),
                l1=dict(type='L1Loss', of='frames', weight=5.0)),
    temporal_scales=1, window=4)
NETWORKS = dict(g=['net_g'], d=['net_d', 'net_d_time0'])


def test_moving_by_a_known_flow():
    picture = torch.rand(1, 3, 12, 10)
    flow = torch.zeros(1, 2, 12, 10)
    torch.testing.assert_close(move(picture, flow), picture)
    flow[:, 0], flow[:, 1] = 3, -2
    moved = move(picture, flow)
    torch.testing.assert_close(moved[:, :, 2:, :-3], picture[:, :, :-2, 3:])
    torch.testing.assert_close(moved[:, :, :, -1], moved[:, :, :, -2])


def test_the_classical_flow_finds_a_shift_and_explains_the_frame():
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 255, (120, 120, 3), np.uint8), (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    frames = np.stack([texture[20:84, 20 + 2 * t:84 + 2 * t] for t in range(3)])
    inner = (slice(12, -12), slice(12, -12))
    flow = flow_between(frames)
    assert not flow[0].any()
    np.testing.assert_allclose(np.median(flow[1][inner], (0, 1)), (2, 0), atol=0.1)
    np.testing.assert_allclose(np.median(flow_between(frames, 2)[2][inner], (0, 1)), (4, 0), atol=0.2)
    batch = torch.from_numpy(frames).movedim(-1, 1)[None]
    found = batch_flow(batch, 1, 'cpu')
    before, now = batch[0, :2].float(), batch[0, 1:].float()
    error = (move(before, found[0, 1:]) - now).abs()[:, :, 12:-12, 12:-12].mean()
    assert error < (before - now).abs()[:, :, 12:-12, 12:-12].mean() / 5
    with pytest.raises(InputError, match='16 pixels'):
        flow_between(np.zeros((2, 8, 8, 3), np.uint8))


def test_the_picture_is_the_blend_that_the_formula_says():
    torch.manual_seed(0)
    net = FlowGenerator(past=1, ngf=4, n_down=1, n_blocks=2, foreground=False)
    figures, last, person = torch.randn(2, 6, 16, 16), torch.rand(2, 3, 16, 16), torch.zeros(2, 1, 16, 16)
    nothing, one = torch.zeros(2, 1, 1, 1), torch.ones(2, 1, 1, 1)
    with torch.no_grad():
        first, then = net(figures, last, person, nothing), net(figures, last, person, one)
    assert (first.painted == 1).all() and (first.picture == first.raw).all() and 0 < then.painted.min() < then.painted.max() < 1
    torch.testing.assert_close(then.picture, (1 - then.painted) * move(last, then.flow) + then.painted * then.raw)


def test_the_person_is_painted_where_the_pose_says():
    torch.manual_seed(0)
    net = FlowGenerator(past=1, ngf=4, n_down=1, n_blocks=2)
    figures, last, nothing = torch.randn(1, 6, 16, 16), torch.rand(1, 3, 16, 16), torch.zeros(1, 1, 1, 1)
    with torch.no_grad():
        scene, person = (net(figures, last, torch.full((1, 1, 16, 16), share), nothing).picture for share in (0.0, 1.0))
        half = torch.zeros(1, 1, 16, 16)
        half[..., :8] = 1
        both = net(figures, last, half, nothing).picture
    torch.testing.assert_close(both, torch.cat([person[..., :8], scene[..., 8:]], -1))
    assert (person - scene).abs().mean() > 1e-3


def test_no_gradient_goes_into_earlier_frames():
    """As in the authors' code: through five frames gradients grow ten times with each, and are noise."""
    torch.manual_seed(0)
    model = build('Vid2Vid', **OPTIONS)
    figures = torch.rand(1, 4, 3, 32, 32, requires_grad=True)
    made = model.unroll(model.net_g, figures, torch.zeros(1, 4, 1, 32, 32))
    seen, = torch.autograd.grad(made.picture[:, 3].sum(), figures, retain_graph=True)
    assert not seen[:, 0].any() and all(seen[:, t].any() for t in (1, 2, 3)), 'a frame sees its figure and the last two'
    of_flow = torch.autograd.grad(made.flow.sum(), list(model.net_g.picture.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in of_flow), 'the flow says nothing of what is painted'


def test_before_the_first_frame_nothing_is_made_of_nothing():
    """Instance norm would make noise of the maps of an empty picture, other noise in each precision."""
    torch.manual_seed(0)
    net = FlowGenerator(past=1, ngf=8, n_down=2, n_blocks=4)
    figures, person, known = torch.randn(1, 6, 32, 32), torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 1, 1)
    with torch.no_grad():
        one, other = (net(figures, frames, person, known).picture for frames in (torch.zeros(1, 3, 32, 32), torch.rand(1, 3, 32, 32)))
    torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_what_is_painted_is_judged_beside_the_frame(clips):
    """Losses of frames and of their discriminator look at h, too: where the last frame is moved it learns all the same."""
    model = build('Vid2Vid', **dict(OPTIONS, losses=dict(l1=dict(type='L1Loss', of='frames', weight=1.0))))
    batch = batch_of(clips, model, 4)
    given = model.data_preprocessor(batch, True)
    with torch.no_grad():
        made = model.unroll(model.net_g, 2 * given['pose_maps'] - 1, model.person(given['body_parts']))
    logs, _ = step(model, batch, optimizers(model, 1e-9, **NETWORKS))
    wanted = sum((frames - given['frames']).abs().mean() for frames in (made.picture, made.raw))
    torch.testing.assert_close(logs['g/l1'], wanted)


def test_a_still_scene_should_be_carried_over(clips):
    losses = dict(carried=dict(type='L1Loss', masked=True, weight=1.0), painted=dict(type='L1Loss', masked=True, weight=1.0))
    model = build('Vid2Vid', **dict(OPTIONS, losses=losses))
    batch, wrappers = batch_of(clips, model, 4), optimizers(model, 1e-2, **NETWORKS)
    logs = [step(model, batch, wrappers)[0] for _ in range(8)]
    assert logs[-1]['g/share_painted'] < logs[0]['g/share_painted'] - .05 and logs[-1]['g/carried'] < logs[0]['g/carried']


def test_what_temporal_discriminators_see():
    frames = torch.arange(5.0).reshape(1, 5, 1, 1, 1).expand(1, 5, 3, 2, 2)
    flow = 100 + torch.arange(5.0).reshape(1, 5, 1, 1, 1).expand(1, 5, 2, 2, 2)
    one, two = list(triples(frames, flow, 1)), list(triples(frames, flow, 2))
    assert len(one) == 3 and len(two) == 1 and two[0].shape == (1, 13, 2, 2)
    assert two[0][0, :, 0, 0].tolist() == pytest.approx([0, 0, 0, 2, 2, 2, 4, 4, 4, 5.1, 5.1, 5.2, 5.2])


def test_every_network_learns(clips):
    model = build('Vid2Vid', **OPTIONS)
    logs, changed = step(model, batch_of(clips, model, 4), optimizers(model, 1e-2, **NETWORKS))
    assert changed == {'net_g', 'net_d', 'net_d_time0'}
    assert set(logs) == {'g/gan', 'g/temporal', 'g/temporal_fm', 'g/flow', 'g/warp', 'g/carried', 'g/painted', 'g/l1',
                         'g/share_painted', 'd/fake', 'd/real', 'd/raw_fake', 'd/raw_real', 'd/time0_fake', 'd/time0_real'}


def test_the_flow_loss_teaches_the_flow(clips):
    losses = dict(flow=dict(type='L1Loss', masked=True, weight=1.0))
    model = build('Vid2Vid', **dict(OPTIONS, losses=losses))
    batch, wrappers = batch_of(clips, model, 4), optimizers(model, 5e-4, **NETWORKS)
    values = [float(step(model, batch, wrappers)[0]['g/flow']) for _ in range(6)]
    assert values[-1] < 0.7 * values[0], values


def test_streaming_is_unrolling(clips):
    model = build('Vid2Vid', **OPTIONS).eval()
    data = whole_clip(clips, model)
    generated = model.test_step(data)[0]['generated']
    batch = model.data_preprocessor(data)
    with torch.no_grad():
        made = model.unroll(model.net_g, 2 * batch['pose_maps'] - 1, model.person(batch['body_parts']))
    assert np.abs(model.data_preprocessor.to_uint8(made.picture)[0].numpy().astype(int) - generated).max() <= 1
    alone = model.test_step({key: value[:, 1:] if key in ('frames', 'pose_maps', 'body_parts', 'masks', 'poses') else value
                             for key, value in data.items()})[0]['generated']
    assert (alone != generated[1:]).any()


@pytest.mark.parametrize('options, words', [
    (dict(temporal_scales=2), 'need 5 frames'),
    (dict(temporal_scales=0), 'losses.temporal asks temporal discriminators, .*give temporal, temporal_fm weight=0'),
    (dict(generator=dict(past=0)), 'past=0'), (dict(margin=-1), 'margin=-1')])
def test_options_that_cannot_be(options, words):
    with pytest.raises(InputError, match=words):
        build('Vid2Vid', **dict(OPTIONS, **options))
