"""Processes that torchrun starts again meet each other, and not those that have ended."""

import multiprocessing
import os
import time
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist

from toolkit.together import join_group, restarted


def meet(rank: int, attempt: int, port: int, late: float, found) -> None:
    """One process as torchrun starts it: its agent serves one store for all attempts."""
    time.sleep(late)
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', LOCAL_WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
        TORCHELASTIC_RESTART_COUNT=str(attempt), TORCHELASTIC_USE_AGENT_STORE='True')
    join_group(timedelta(seconds=20))
    ranks = [torch.zeros(1) for _ in range(2)]
    dist.all_gather(ranks, torch.tensor([10. * attempt + rank]))
    found.put([value.item() for value in ranks])
    found.close()
    found.join_thread()
    os._exit(9)  # no farewell: it failed


@pytest.mark.skipif('fork' not in multiprocessing.get_all_start_methods(), reason='needs fork')
def test_what_is_started_again_meets_anew():
    agent, context = dist.TCPStore('127.0.0.1', 0, is_master=True, wait_for_workers=False), multiprocessing.get_context('fork')
    for attempt in range(3):
        found = context.Queue()
        processes = [context.Process(target=meet, args=(rank, attempt, agent.port, late, found))
                     for rank, late in ((0, min(attempt, 1)), (1, 0))]
        for process in processes:
            process.start()
        try:
            assert [found.get(timeout=30) for _ in processes] == [[10 * attempt, 10 * attempt + 1]] * 2
        finally:
            for process in processes:
                process.kill()
                process.join()


def test_machines_that_count_restarts_apart_are_left_to_torchrun(monkeypatch):
    for attempt, local, world, expected in (('1', '2', '2', True), ('0', '2', '2', False), ('1', '2', '4', False)):
        monkeypatch.setenv('TORCHELASTIC_RESTART_COUNT', attempt)
        monkeypatch.setenv('LOCAL_WORLD_SIZE', local)
        monkeypatch.setenv('WORLD_SIZE', world)
        assert restarted() is expected
