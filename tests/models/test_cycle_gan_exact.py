"""CycleGAN: exact resume, and two processes in sync."""

import copy
import multiprocessing
import os
import socket

import pytest
import torch

from tests.models.cycle_gan_parts import batch_of, build_video, optimizers
from toolkit.engine.optim import NetworkOptimizers


def train(model, wrappers, start, stop):
    """Sequential mini-batches start..stop-1, in runs of three."""
    for i in range(start, stop):
        model.set_train_state(seed=1, rank=0, iteration=i, max_iters=stop)
        logs = model.train_step(batch_of(1, 3, seed=i, first=3 * (i % 3)), wrappers)
    return logs


def test_resume_is_exact_with_pools_and_previous_frames(tmp_path):
    whole = build_video(pool_size=2, ema=0.9)
    wrappers = optimizers(whole)
    train(whole, wrappers, 0, 5)
    torch.save(dict(model=whole.state_dict(), optim=wrappers.state_dict()), tmp_path / 'state.pth')
    expected = train(whole, wrappers, 5, 9)
    resumed = build_video(pool_size=2, ema=0.9, seed=1)
    again = optimizers(resumed)
    state = torch.load(tmp_path / 'state.pth', weights_only=True)
    resumed.load_state_dict(state['model'])
    again.load_state_dict(state['optim'])
    assert resumed.memory.frames and resumed.pools['a_time'].count == 2
    without = build_video(pool_size=2, ema=0.9)
    without.load_state_dict(state['model'])
    without.memory.frames = {}
    logs = train(resumed, again, 5, 9)
    assert logs == expected and logs['weight/skeleton'] == expected['weight/skeleton']
    for (key, a), b in zip(whole.state_dict().items(), resumed.state_dict().values()):
        if torch.is_tensor(a):
            assert torch.equal(a, b), key
    forgetful = optimizers(without)
    forgetful.load_state_dict(state['optim'])
    assert train(without, forgetful, 5, 9) != expected, 'the previous frames matter'


def two_processes(rank, port, queue, options):
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port))
    torch.distributed.init_process_group('gloo')
    from toolkit.engine.wrapper import SeparateDDP
    from toolkit.models.bare import unwrapped
    model = build_video(**options)
    wrapped = SeparateDDP(model)
    wrappers = optimizers_of(wrapped)
    for i in range(3):
        model.set_train_state(seed=1, rank=rank, iteration=i, max_iters=3)
        data = {k: {n: v[rank:rank + 1] for n, v in d.items()} for k, d in batch_of(2, 3, seed=i, first=3 * i).items()}
        logs = wrapped.train_step(data, wrappers)
    with unwrapped(wrapped) as bare:
        state = {k: v.numpy() for k, v in bare.state_dict().items() if torch.is_tensor(v)}
    queue.put((rank, state, float(logs['weight/skeleton']), model.pools['a'].images.numpy() if options['pool_size'] else None))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


def optimizers_of(model):
    sgd = dict(optimizer=dict(type='SGD', lr=0.0002))
    return NetworkOptimizers(dict(g=dict(sgd, networks=['net_g_ab', 'net_g_ba']),
                                  d=dict(sgd, networks=['net_d_a', 'net_d_b', 'net_d_a_time', 'net_d_b_time'])))(model)


@pytest.mark.parametrize('pool_size, by', [(0, 'gradient'), (2, 'loss')])
def test_two_processes_stay_in_sync_and_do_what_one_does(pool_size, by):
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context('fork')
    queue = context.Queue()
    options = dict(pool_size=pool_size, auto_weight=dict(ratio=0.5, by=by))
    children = [context.Process(target=two_processes, args=(rank, port, queue, options)) for rank in range(2)]
    for child in children:
        child.start()
    results = sorted((queue.get(timeout=60) for _ in range(2)), key=lambda result: result[0])
    (_, first, weight, pool), (_, second, other_weight, other_pool) = results
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert weight == other_weight
    assert all((first[k] == second[k]).all() for k in first if not k.startswith('pools'))
    if pool_size:
        assert (pool != other_pool).any(), 'each process has its own pool'
        return
    single, moved = build_video(**options), 0.0
    start = copy.deepcopy(single.state_dict())
    wrappers = optimizers_of(single)
    for i in range(3):
        single.set_train_state(seed=1, rank=0, iteration=i, max_iters=3)
        logs = single.train_step(batch_of(2, 3, seed=i, first=3 * i), wrappers)
    assert float(logs['weight/skeleton']) == pytest.approx(weight, rel=2e-3)
    for key, value in single.state_dict().items():
        if torch.is_tensor(value) and not key.startswith('auto_weight'):
            torch.testing.assert_close(value, torch.from_numpy(first[key]), atol=2e-5, rtol=0, msg=key)
            moved = max(moved, float((value - start[key]).abs().max()))
    assert moved > 1e-3, 'fifty times what float32 rounding may differ by (1.1e-5 was seen)'
