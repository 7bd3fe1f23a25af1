"""CycleGAN: the skeleton loss and the kept scene."""

import pytest
import torch
import torch.nn.functional as F

from tests.models.cycle_gan_parts import ANCHORS, SKELETON, batch_of, build, clip_of, images, optimizers
from toolkit.warpers.similarity import rescale_maps


def test_pose_network_is_not_in_the_model():
    model = build(dict(skeleton=SKELETON))
    assert len(list(model.state_dict())) == len(list(build().state_dict()))
    assert not [n for n, _ in model.named_parameters() if not n.startswith('net_')]
    before = model.losses['skeleton']._frozen[0].conv.weight.clone()
    model.train_step(batch_of(), optimizers(model))
    assert torch.equal(model.losses['skeleton']._frozen[0].conv.weight, before)


def test_auto_weight_keeps_the_skeleton_loss_proportional_then_stays():
    model = build(dict(skeleton=dict(SKELETON, weight='auto_freeze')), auto_weight=dict(ratio=0.5, freeze_at=3, by='loss'))
    wrappers, weights = optimizers(model, lr=1e-2), []
    for i in range(6):
        model.set_train_state(0, 0, i, 6)
        logs = model.train_step(batch_of(seed=i), wrappers)
        if i == 0:
            others = sum(v for k, v in logs.items() if k.startswith('g/') and 'skeleton' not in k)
            torch.testing.assert_close(logs['g/skeleton_ab'] + logs['g/skeleton_ba'], 0.5 * others)
        weights.append(float(logs['weight/skeleton']))
    assert len(set(weights[:3])) == 3 and len(set(weights[2:])) == 1


def test_auto_weight_by_gradients():
    model = build(dict(skeleton=dict(SKELETON, weight='auto_freeze')), auto_weight=dict(ratio=0.5, by='gradient'))
    logs = model.train_step(batch_of(), optimizers(model))
    assert 0 < logs['weight/skeleton'] and model.auto_weight.means[2] > 0


def test_kept_maps_of_inputs_change_nothing():
    logs = []
    for cache in (0, 8):
        model = build(dict(skeleton=dict(SKELETON, cache=cache)))
        wrappers = optimizers(model)
        logs.append([model.train_step(batch_of(seed=seed), wrappers) for seed in (0, 1, 0)])
    assert logs[0] == logs[1]
    assert len(model.losses['skeleton']._cached) == 4


@pytest.mark.parametrize('scaling', [False, True])
def test_the_scene_is_kept_outside_the_person(scaling):
    model = build(dict(skeleton=SKELETON), foreground=dict(margin=0.05), skeleton_scaling=scaling)
    model.anchors.copy_(ANCHORS)
    data = clip_of()
    out = torch.from_numpy(model.test_step(data)[0]['generated']).movedim(-1, 1).int()
    mask = F.max_pool2d(data['masks'][0].float() / 255, 5, 1, 2).expand(-1, 3, -1, -1) > 0
    real, plate = data['frames'][0].int(), data['plate'].expand(4, -1, -1, -1).int()
    painted = rescale_maps(mask.float(), *ANCHORS) > 0 if scaling else mask
    assert torch.equal(out[~mask & ~painted], real[~mask & ~painted])
    inside = mask & painted
    if scaling:
        assert (mask & ~painted).any() and (painted & ~mask).any()
        assert (out - plate)[mask & ~painted].abs().max() <= 1, 'where the taller person was, the empty scene shows'
    assert (out - real)[inside].abs().float().mean() > 5 and (out - plate)[inside].abs().float().mean() > 5


def test_discriminators_see_both_persons_in_one_scene():
    model = build(foreground=dict(margin=0.0))
    inputs = []
    model.net_d_b.register_forward_pre_hook(lambda net, args: inputs.append(args[0].detach()))
    data = batch_of()
    model.train_step(data, optimizers(model))
    fake, real, past = inputs
    mask = data['a']['masks'][:, 0].expand(-1, 3, -1, -1) > 0
    torch.testing.assert_close(real[~mask], images(data, 'a')[~mask], msg='the scene of A')
    torch.testing.assert_close(real[mask], images(data, 'b')[mask], msg='the person B')
    torch.testing.assert_close(fake[~mask], images(data, 'a')[~mask])
    torch.testing.assert_close(past, fake)


def test_the_cycle_of_a_kept_scene_looks_at_the_person():
    model = build(foreground=dict(margin=0.0))
    data = batch_of()
    a, mask = images(data, 'a'), data['a']['masks'][:, 0].expand(-1, 3, -1, -1) > 0
    with torch.no_grad():
        fake = torch.where(mask, model.net_g_ab(a), a)
        rec = model.net_g_ba(fake)
    logs = model.train_step(data, optimizers(model))
    torch.testing.assert_close(logs['g/cycle_a'], 10 * (rec - a)[mask].abs().mean())


def test_skeletons_are_scaled_between_the_persons():
    plain, scaled = (build(dict(skeleton=SKELETON), skeleton_scaling=on) for on in (False, True))
    logs = [m.train_step(batch_of(), optimizers(m)) for m in (plain, scaled)]
    for name in logs[0]:
        assert (logs[0][name] == logs[1][name]) == ('skeleton' not in name), name
    same = batch_of()
    same['b']['anchor'] = same['a']['anchor']
    equal = build(dict(skeleton=SKELETON), skeleton_scaling=True)
    torch.testing.assert_close(equal.train_step(same, optimizers(equal))['g/skeleton_ab'], logs[0]['g/skeleton_ab'])
    assert torch.equal(scaled.anchors, ANCHORS), 'kept for generation'
