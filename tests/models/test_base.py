"""What methods share: noise that interruptions and processes do not change, frozen networks, averages, losses by config."""

import pytest
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import nn

from tests.models import cycle_gan_parts as cycle
from tests.models import test_video_pix2pixhd as video
from toolkit.models.base import VideoModel
from toolkit.structures import InputError


class Small(VideoModel):
    offers = dict(frames=('fake', 'real'))

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.net_g = nn.Conv2d(3, 3, 1)
        self.net_g_ema = self.ema_copy(self.net_g)

    def train_step(self, data, optim_wrapper):
        return {}

    def test_step(self, data):
        return []


def test_noise_depends_on_seed_rank_iteration_and_salt_only():
    def draw(seed=0, rank=0, iteration=0, salt=0):
        model = Small()
        model.set_train_state(seed, rank, iteration, 10)
        return tuple(torch.randn(3, generator=model.noise_generator(salt)).tolist())

    assert draw() == draw() and len({draw(), draw(seed=1), draw(rank=1), draw(iteration=1), draw(salt=1)}) == 5


def test_randn_of_processes_are_rows_of_the_whole(monkeypatch):
    model = Small()
    whole = model.randn(4, 2)
    monkeypatch.setattr('toolkit.models.base.get_world_size', lambda: 2)
    for rank in (0, 1):
        model.set_train_state(0, rank, 0, 10)
        assert torch.equal(model.randn(2, 2), whole[rank::2])


def test_rows_of_processes_are_those_of_their_samples_in_each_group(monkeypatch):
    model, dealt = Small(), []
    monkeypatch.setattr('toolkit.models.base.get_world_size', lambda: 2)
    for rank in (0, 1):
        model.set_train_state(0, rank, 0, 10)
        dealt.append(model.rows(2, frames=3, groups=2).tolist())
    assert dealt == [[0, 1, 2, 6, 7, 8, 12, 13, 14, 18, 19, 20], [3, 4, 5, 9, 10, 11, 15, 16, 17, 21, 22, 23]]


def test_frozen_passes_gradients_on_and_gives_none():
    model = Small()
    x = torch.ones(1, 3, 2, 2, requires_grad=True)
    model.net_g.bias.requires_grad_(False)
    with model.frozen(model.net_g):
        model.net_g(x).sum().backward()
    assert x.grad is not None and model.net_g.weight.grad is None
    assert model.net_g.weight.requires_grad and not model.net_g.bias.requires_grad


@pytest.mark.parametrize('loss', [0, torch.zeros(()), torch.ones(())])
def test_a_step_without_anything_to_learn_from_is_refused(loss):
    model = Small()
    wrappers = OptimWrapperDict(g=OptimWrapper(torch.optim.SGD(model.net_g.parameters(), 0.1)))
    with pytest.raises(InputError, match='Small: at iteration 0 no loss reaches the networks of optim_wrapper.g: .* model.losses'):
        model.step(wrappers, 'g', loss)


def test_average_follows_from_the_start_then_slowly():
    model = Small()
    wrapper = OptimWrapper(torch.optim.SGD(model.net_g.parameters(), 0.1))
    for p in model.net_g.parameters():
        nn.init.constant_(p, 1.0)
    for p in model.net_g_ema.parameters():
        nn.init.constant_(p, 0.0)
    model.update_ema(model.net_g, model.net_g_ema, 0.999, wrapper)
    assert torch.allclose(model.net_g_ema.weight, torch.tensor(0.9))
    model.set_train_state(0, 0, 10**6, 10**7)
    model.update_ema(model.net_g, model.net_g_ema, 0.999, wrapper)
    assert torch.allclose(model.net_g_ema.weight, torch.tensor(0.999 * 0.9 + 0.001))
    assert not any(p.requires_grad for p in model.net_g_ema.parameters())
    model.train()
    assert model.net_g.training and not model.net_g_ema.training


@pytest.mark.parametrize('method', ['video', 'cycle'])
def test_the_average_moves_once_for_each_step_of_the_optimizer(method):
    count, steps, decay = 4, 3, 0.3
    model = video.build(ema=decay) if method == 'video' else cycle.build(ema=decay)
    name = 'net_g' if method == 'video' else 'net_g_ab'
    net, ema = getattr(model, name), getattr(model, f'{name}_ema')
    networks = model.networks()
    wrappers = OptimWrapperDict(**{
        kind: OptimWrapper(torch.optim.SGD([p for n, net in networks.items() if n.startswith(f'net_{kind}') and not n.endswith('_ema')
                                            for p in net.parameters()], 0.1), accumulative_counts=count) for kind in 'gd'})
    mean, moved = [p.clone() for p in ema.parameters()], 0
    for i in range(count * steps):
        model.set_train_state(0, 0, i, count * steps)
        model.train_step(video.batch_of(model, size=1, seed=i) if method == 'video' else cycle.batch_of(seed=i), wrappers)
        if i % count == count - 1:
            d = min(decay, (1 + moved) / (10 + moved))
            mean, moved = [d * a + (1 - d) * p.detach() for a, p in zip(mean, net.parameters())], moved + 1
        for a, b in zip(ema.parameters(), mean, strict=True):
            torch.testing.assert_close(a, b)


def test_losses_by_config():
    model = Small(losses=dict(l1=dict(type='L1Loss', weight=3.0), off=dict(type='L1Loss', weight=0)))
    assert list(model.losses) == ['l1']
    assert model.weighted(dict(l1=torch.tensor(2.0), other=torch.tensor(1.0))) == dict(l1=6.0, other=1.0)
    with pytest.raises(InputError, match='wieght'):
        Small(losses=dict(l1=dict(type='L1Loss', wieght=3.0)))


def test_networks_and_options():
    model = Small(channels_last=True, inference_dtype='bfloat16')
    assert list(model.networks()) == ['net_g', 'net_g_ema']
    keys = list(model.state_dict())
    model.compile_options = dict(backend='eager')
    model.prepare_networks()
    assert model.net_g.weight.is_contiguous(memory_format=torch.channels_last) and list(model.state_dict()) == keys
    with model.inference_context():
        assert model.net_g(torch.ones(1, 3, 2, 2)).dtype is torch.bfloat16
    with pytest.raises(InputError, match='inference_dtype'):
        Small(inference_dtype='half')


def test_example_batch_is_preprocessed():
    batch = Small().data_preprocessor(Small().example_batch(8, 6, frames=3))
    assert batch['frames'].shape == (1, 3, 3, 8, 6) and batch['content_parts'].dtype is torch.uint8
