"""One optimizer per network: nothing forgotten, nothing twice, accumulation and half precision."""

import pytest
import torch
from torch import nn

from toolkit.engine.optim import AmpOptimWrapper, NetworkOptimizers, OptimWrapper, takes_fused
from toolkit.structures import InputError

ADAM = dict(type='Adam', lr=0.1)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.net_g, self.net_d, self.net_e = nn.Linear(2, 2), nn.Linear(2, 1), nn.Linear(1, 1).requires_grad_(False)


def test_every_trainable_parameter_is_in_one_optimizer():
    model = Two()
    wrappers = NetworkOptimizers(dict(g=dict(networks=['net_g'], optimizer=ADAM), d=dict(networks=['net_d'], optimizer=ADAM)))(model)
    assert list(wrappers.keys()) == ['g', 'd'] and isinstance(wrappers['g'], OptimWrapper)
    assert {id(p) for p in wrappers['g'].optimizer.param_groups[0]['params']} == {id(p) for p in model.net_g.parameters()}


@pytest.mark.parametrize('entries, words', [
    (dict(g=dict(networks=['net_g'], optimizer=ADAM)), 'no optimizer trains net_d'),
    (dict(g=dict(networks=['net_g', 'net_d'], optimizer=ADAM), d=dict(networks=['net_d'], optimizer=ADAM)), 'already trained by '
                                                                                                            'optim_wrapper.g'),
    (dict(g=dict(networks=['net_g', 'net_d', 'net_x'], optimizer=ADAM)), "unknown key 'net_x'. Did you mean"),
    (dict(g=dict(networks=['net_g', 'net_d'], optimizer=ADAM), e=dict(networks=['net_e'], optimizer=ADAM)), 'net_e has no trainable '
                                                                                                            'parameters'),
    (dict(g=dict(optimizer=ADAM)), r'needs networks='),
    (dict(g=dict(networks='net_g', optimizer=ADAM)), r'needs networks='),
    (dict(g=dict(networks=['net_g', 'net_d'], optimzer=ADAM)), "'optimizer'"),
    (dict(g=dict(networks=['net_g', 'net_d'], optimizer=ADAM, type='AmpOptimWrapper', dtype='float16')), 'float16 needs a GPU'),
    (dict(g=dict(networks=['net_g', 'net_d'], optimizer=ADAM, type='AmpOptimWrapper', dtype='half')), 'bfloat16'),
    (dict(g=dict(networks=['net_g', 'net_d'], optimizer=ADAM, type='AmpOptimWrapper', loss_scale=8.)), 'loss_scale=8.0 has no effect'),
    ({}, 'names no optimizer'),
])
def test_mistakes(entries, words):
    with pytest.raises(InputError, match=words):
        NetworkOptimizers(entries)(Two())


def wrapper_of(weight, **kwargs):
    return OptimWrapper(optimizer=torch.optim.SGD([weight], lr=1.0), **kwargs)


def test_accumulation_of_two_equals_the_mean_gradient():
    plain, accumulated = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    wrapper_of(plain).update_params((3 * plain + 5 * plain).sum() / 2)
    wrapper = wrapper_of(accumulated, accumulative_counts=2)
    wrapper.update_params((3 * accumulated).sum())
    assert wrapper.pending and accumulated.item() == 0
    wrapper.update_params((5 * accumulated).sum())
    assert not wrapper.pending and accumulated.item() == plain.item() == -4


def test_an_optimizer_that_is_not_used_joins_the_windows_of_the_others():
    wrapper = wrapper_of(nn.Parameter(torch.zeros(1)), accumulative_counts=4)

    def learn():
        wrapper.update_params(wrapper.optimizer.param_groups[0]['params'][0].sum())

    for iterations in range(1, 3):
        wrapper.follow(wrapper.inner_count, iterations)
    for _ in range(2):
        assert wrapper.pending
        learn()
    assert not wrapper.pending
    learn()
    wrapper.follow(wrapper.inner_count, 6)
    assert wrapper.inner_count == 5, 'gradients wait for the rest of their window'


class OnDevice(torch.optim.Adam):
    """Places the counter of updates by what the groups say, as on a GPU."""

    @staticmethod
    def _process_value_according_to_param_policy(param, value, param_id, param_groups, key=None):
        fused = next(group.get('fused') for group in param_groups if param_id in group['params'])
        return value.to(torch.float64 if key == 'step' and fused else value.dtype)


@pytest.mark.parametrize('ours, theirs', [(True, None), (None, True)])
def test_counters_of_updates_lie_where_the_kernels_of_the_config_want_them(monkeypatch, ours, theirs):
    monkeypatch.setattr(torch.optim.Optimizer, '_process_value_according_to_param_policy',
                        OnDevice._process_value_according_to_param_policy)
    wrappers = [OptimWrapper(optimizer=torch.optim.Adam([nn.Parameter(torch.ones(2))], fused=fused)) for fused in (ours, theirs)]
    for wrapper in wrappers:
        wrapper.update_params(wrapper.optimizer.param_groups[0]['params'][0].sum())
    state = wrappers[1].state_dict()
    wrappers[0].load_state_dict(state)
    own, = wrappers[0].optimizer.state.values()
    assert wrappers[0].optimizer.param_groups[0]['fused'] is ours and state['param_groups'][0]['fused'] is theirs
    assert own['step'].dtype == (torch.float64 if ours else torch.float32)


def test_other_kernels_than_fused_ones_may_be_chosen():
    assert takes_fused(ADAM) and not takes_fused(dict(ADAM, foreach=True)) and not takes_fused(dict(ADAM, type='RMSprop'))


def test_clipping():
    weight = nn.Parameter(torch.zeros(2))
    wrapper_of(weight, clip_grad=dict(max_norm=1.0)).update_params(30 * weight[0] + 40 * weight[1])
    assert torch.allclose(weight, torch.tensor([-0.6, -0.8]), atol=1e-5)


def test_bfloat16_on_cpu():
    net = nn.Linear(4, 4)
    wrapper = AmpOptimWrapper(optimizer=torch.optim.SGD(net.parameters(), lr=0.1))
    before = net.weight.clone()
    with wrapper.optim_context(net):
        out = net(torch.ones(2, 4))
    assert out.dtype is torch.bfloat16 and net.weight.dtype is torch.float32
    wrapper.update_params(out.float().mean())
    assert not torch.equal(before, net.weight)
    state = wrapper.state_dict()
    torch.optim.SGD(net.parameters(), lr=0.1).load_state_dict({k: v for k, v in state.items() if k != 'loss_scaler'})
    wrapper.load_state_dict(torch.optim.SGD(net.parameters(), lr=0.5).state_dict())
    assert wrapper.optimizer.param_groups[0]['lr'] == 0.5
    assert 'loss_scaler' in state


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
@pytest.mark.parametrize('dtype', ['bfloat16', 'float16'])
def test_half_precision_and_fused_on_gpu(dtype):
    model = Two().cuda()
    entry = dict(networks=['net_g', 'net_d'], optimizer=ADAM, type='AmpOptimWrapper', dtype=dtype, clip_grad=dict(max_norm=1.0))
    wrapper = NetworkOptimizers(dict(g=entry))(model)['g']
    assert wrapper.optimizer.defaults['fused']
    with wrapper.optim_context(model.net_g):
        out = model.net_g(torch.ones(1, 2, device='cuda'))
    before = model.net_g.weight.clone()
    wrapper.update_params(out.float().sum())
    assert out.dtype is getattr(torch, dtype) and not torch.equal(before, model.net_g.weight)
