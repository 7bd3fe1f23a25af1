"""One step of the video generator's training, written down once more in plain torch: losses, gradients, new weights."""

import copy

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict

from tests.models.test_video_pix2pixhd import batch_of
from toolkit.registry import MODELS

LR, DECAY = dict(g=0.1, d=0.05), 0.75


def build(frame_reduce):
    torch.manual_seed(0)
    return MODELS.build(dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=2), feature_maps=dict(edge_channel='real'),
        losses=dict(gan=dict(type='GANLoss', weight=2.0), fm=dict(type='FeatureMatchingLoss', n_layers=2, weight=10.0),
                    l1=dict(type='L1Loss', weight=5.0), person=dict(type='RegionL1Loss', weight=3.0)),
        frame_reduce=frame_reduce, ema=DECAY))


class Recorder(OptimWrapper):
    """Keeps the gradients of each update."""

    def step(self, **kwargs):
        self.gradients = [p.grad.clone() for group in self.param_groups for p in group['params']]
        super().step(**kwargs)


def restated(model, data, frames_count):
    """Losses, and gradients of G and D, of one step over two frames."""
    net_g, net_d = copy.deepcopy(model.net_g), copy.deepcopy(model.net_d)
    unit = {key: data[key].float() / 255 for key in ('frames', 'pose_maps', 'edges', 'masks')}
    f1, f2 = (2 * torch.cat([unit['pose_maps'][:, t], unit['edges'][:, t] * unit['masks'][:, t]], 1) - 1 for t in (0, 1))
    x1, x2 = (2 * unit['frames'][:, t] - 1 for t in (0, 1))
    v1 = net_g(torch.cat([f1, torch.zeros_like(x1)], 1))
    v2 = net_g(torch.cat([f2, v1], 1))
    of_real, of_fake = net_d(torch.cat([f1, f2, x1, x2], 1)), net_d(torch.cat([f1, f2, v1, v2], 1))
    masks = (unit['masks'][:, 0], unit['masks'][:, 1])
    g = dict(gan=2 * sum(((scale[-1] - 1)**2).mean() for scale in of_fake), fm=0, l1=0, person=0)
    for fakes, reals in zip(of_fake, of_real):
        for fake, real in zip(fakes[:-1], reals[:-1]):
            g['fm'] = g['fm'] + 10 * 4 / 3 / 2 * (fake - real.detach()).abs().mean()
    for fake, real, mask in zip((v1, v2), (x1, x2), masks):
        difference = (fake - real).abs()
        g['l1'] = g['l1'] + 5 * difference.mean() / 2 * frames_count
        inside = (difference.mean(1, keepdim=True) * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3))
        g['person'] = g['person'] + 3 * inside.mean() / 2 * frames_count
    grads_g = torch.autograd.grad(sum(g.values()), list(net_g.parameters()), retain_graph=True)
    detached = net_d(torch.cat([f1, f2, v1.detach(), v2.detach()], 1))
    d = dict(real=0.5 * sum(((scale[-1] - 1)**2).mean() for scale in of_real),
             fake=0.5 * sum((scale[-1]**2).mean() for scale in detached))
    grads_d = torch.autograd.grad(sum(d.values()), list(net_d.parameters()))
    losses = {f'g/{name}': value for name, value in g.items()} | {f'd/{name}': value for name, value in d.items()}
    return losses, dict(g=grads_g, d=grads_d)


@pytest.mark.parametrize('frame_reduce, frames_count', [('mean', 1), ('sum', 2)])
def test_one_step_is_the_one_that_is_written_down_here(frame_reduce, frames_count):
    model = build(frame_reduce)
    data = batch_of(model)
    losses, gradients = restated(model, data, frames_count)
    nets = dict(g=model.net_g, d=model.net_d)
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in nets.items()}
    average = [p.clone() for p in model.net_g_ema.parameters()]
    wrappers = OptimWrapperDict(**{name: Recorder(torch.optim.SGD(net.parameters(), LR[name])) for name, net in nets.items()})
    model.set_train_state(seed=0, rank=0, iteration=1000, max_iters=2000)
    logs = model.train_step(data, wrappers)
    assert set(logs) == set(losses)
    for name, value in losses.items():
        torch.testing.assert_close(logs[name], value.detach(), rtol=1e-5, atol=1e-6, msg=name)
    for name, net in nets.items():
        for got, wanted, old, new in zip(wrappers[name].gradients, gradients[name], before[name], net.parameters(), strict=True):
            assert (got - wanted).norm() <= 1e-4 * wanted.norm() + 1e-5, name
            torch.testing.assert_close(new.detach(), old - LR[name] * wanted, rtol=1e-5, atol=2e-6)
        assert max(g.abs().max() for g in gradients[name]) > 1e-2
    for old, mean, new in zip(average, model.net_g_ema.parameters(), model.net_g.parameters(), strict=True):
        torch.testing.assert_close(mean, DECAY * old + (1 - DECAY) * new)


def test_two_accumulated_samples_teach_as_a_batch_of_two():
    whole, parts = build('mean'), build('mean')
    data = batch_of(whole, size=2)
    halves = [{key: value[i:i + 1] for key, value in data.items()} for i in range(2)]
    for model, batches in ((whole, [data]), (parts, halves)):
        wrappers = OptimWrapperDict(**{
            name: OptimWrapper(torch.optim.SGD(net.parameters(), LR[name]), accumulative_counts=len(batches))
            for name, net in dict(g=model.net_g, d=model.net_d).items()})
        for i, batch in enumerate(batches):
            model.set_train_state(seed=0, rank=0, iteration=i, max_iters=2)
            model.train_step(batch, wrappers)
    for old, p, q in zip(build('mean').parameters(), whole.parameters(), parts.parameters(), strict=True):
        assert (p - q).norm() <= 1e-3 * (p - old).norm() + 1e-6
