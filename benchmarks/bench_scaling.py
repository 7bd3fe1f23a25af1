"""Efficiency of several processes: ``python benchmarks/bench_scaling.py --processes 1 2 --rounds 10 --json scaling.json``.

Each number of processes is a team of its own, which trains as ``tools/train.py`` does: one process alone without any wrapper, several
with gradients averaged by gloo while they are computed. Each process has ``--threads`` threads and a batch of its own (weak scaling): a
person who walks before noise. The teams take turns in every round, so that a busy machine harms them alike; who waits, sleeps. Told:

- ``s a step``: wall clock of the slowest process of a team, median and spread of the rounds;
- ``efficiency``: seconds of the first team / seconds of this one, by rounds. 1 would be: N processes see N times as many samples;
- ``exchange``: what of a step is gone when gradients stay where they are (DDP's ``no_sync``), as a share of the step;
- ``alone``: seconds to average as many bytes, with nothing else to do.

With more processes than cores the processes wait for cores, not for each other: then the efficiency says nothing. The network is that
of the demo, paper A's stage II at 192x128 (two frames a sample); ``--config`` takes any method of one person.
"""

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from contextlib import nullcontext
from multiprocessing.connection import Connection
from pathlib import Path

import torch
import torch.distributed as dist
from train_step import batch_of

from toolkit.cli import main_guard, numbers
from toolkit.engine.config import load_config
from toolkit.engine.optim import NetworkOptimizers
from toolkit.engine.wrapper import SeparateDDP
from toolkit.machine import cores
from toolkit.registry import MODELS
from toolkit.structures import InputError

WARM_UP = 2
"""First steps, in which memory is allocated and buckets of gradients are put in order, do not count."""


def member(rank: int, processes: int, meeting: str, args: argparse.Namespace, pipe: Connection) -> None:
    """Life of a process of a team: do as many steps of a kind as the main process asks for, and answer how long they took."""
    torch.set_num_threads(args.threads)
    if processes > 1:
        os.environ['LOCAL_RANK'] = str(rank)
        dist.init_process_group('gloo', init_method=f'file://{meeting}', rank=rank, world_size=processes)
    cfg = load_config(args.config, args.cfg_options)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    model.prepare_networks()
    data = batch_of(model, *args.size)
    noise = torch.Generator().manual_seed(rank)
    data['frames'] = torch.randint(0, 256, data['frames'].shape, dtype=torch.uint8, generator=noise)
    wrapped = SeparateDDP(model) if processes > 1 else model
    wrappers = NetworkOptimizers({name: entry for name, entry in cfg.optim_wrapper.items() if name != 'constructor'})(wrapped)
    sizes = [sum(p.numel() for p in net.parameters() if p.requires_grad) for net in model.networks().values()]
    gradients, done = [torch.zeros(size) for size in sizes if size], 0

    def train() -> None:
        nonlocal done
        model.set_train_state(seed=0, rank=rank, iteration=done, max_iters=10**6)
        wrapped.train_step(data, optim_wrapper=wrappers)
        done += 1

    def exchange() -> None:
        for gradient in gradients:
            dist.all_reduce(gradient)

    pipe.send(sum(sizes))
    while (order := pipe.recv()) is not None:
        kind, steps = order
        if processes > 1:
            dist.barrier()
        start = time.perf_counter()
        with wrapped.no_sync() if kind == 'apart' else nullcontext():
            for _ in range(steps):
                exchange() if kind == 'alone' else train()
        pipe.send((time.perf_counter() - start) / steps)
    if processes > 1:
        dist.destroy_process_group()


class Team:
    """The processes of one number of processes."""

    def __init__(self, processes: int, folder: str, args: argparse.Namespace) -> None:
        context, self.kinds = multiprocessing.get_context('spawn'), ('step', 'apart', 'alone') if processes > 1 else ('step',)
        self.seconds: dict[str, list[float]] = {kind: [] for kind in self.kinds}
        self.pipes, self.members = [], []
        for rank in range(processes):
            ours, theirs = context.Pipe()
            meeting = f'{folder}/team_of_{processes}'
            self.members.append(context.Process(target=member, args=(rank, processes, meeting, args, theirs), daemon=True))
            self.members[-1].start()
            theirs.close()
            self.pipes.append(ours)
        self.parameters = self._answers()[0]

    def _answers(self) -> list:
        try:
            return [pipe.recv() for pipe in self.pipes]
        except EOFError:
            raise InputError(f'a process of a team of {len(self.pipes)} ended; its reason stands above') from None

    def run(self, kind: str, steps: int) -> float:
        """Seconds a step of the slowest process."""
        for pipe in self.pipes:
            pipe.send((kind, steps))
        return max(self._answers())

    def end(self) -> None:
        """Let the processes go home."""
        for pipe, process in zip(self.pipes, self.members):
            pipe.send(None)
            process.join()


def table(teams: dict[int, Team]) -> dict[int, dict]:
    """Print what was measured, and give it."""
    first, found = next(iter(teams.values())).seconds['step'], {}
    print(f'{"processes":>9} {"s a step":>26} {"efficiency":>24} {"exchange":>24} {"alone":>9}')
    for processes, team in teams.items():
        step = team.seconds['step']
        shares = [1 - apart / whole for apart, whole in zip(team.seconds.get('apart', step), step)]
        spread = {name: (statistics.median(values), min(values), max(values)) for name, values in dict(
            step=step, efficiency=[a / b for a, b in zip(first, step)], exchange=shares).items()}
        found[processes] = dict(spread, alone=statistics.median(team.seconds.get('alone', [0.0])), seconds=team.seconds)
        words = ['{:.3f} ({:.3f} to {:.3f})'.format(*spread['step'])]
        words += ['{:.2f} ({:.2f} to {:.2f})'.format(*spread[name]) for name in ('efficiency', 'exchange')]
        print(f'{processes:>9} {words[0]:>26} {words[1]:>24} {words[2]:>24} {found[processes]["alone"]:>8.3f}s', flush=True)
    return found


@main_guard
def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--processes', type=int, nargs='+', default=[1, 2], metavar='N', help='sizes of teams (default: 1 2)')
    parser.add_argument('--threads', type=int, default=1, help='of each process (default 1)')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--steps', type=int, default=5, help='of a team in a round (default 5)')
    parser.add_argument('--config', default='demo/synthetic', help='a config, or the name of one (default demo/synthetic)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='overrides of the config')
    parser.add_argument('--size', type=numbers('HEIGHTxWIDTH, for example 192x128', 2, int, 'x'), default=(192, 128), metavar='HxW')
    parser.add_argument('--json', type=Path, help='write all measurements there')
    args = parser.parse_args()
    for name in ('threads', 'rounds', 'steps'):
        if getattr(args, name) < 1:
            raise InputError(f'--{name} {getattr(args, name)}: give at least 1')
    if min(args.processes) < 1 or len(set(args.processes)) < len(args.processes):
        raise InputError(f'--processes {" ".join(map(str, args.processes))}: give different numbers of at least 1')
    with tempfile.TemporaryDirectory() as folder:
        teams = {processes: Team(processes, folder, args) for processes in args.processes}
        for number in range(-1, args.rounds):
            for team in list(teams.values())[::-1 if number % 2 else 1]:
                for kind in team.kinds:
                    seconds = team.run(kind, WARM_UP if number < 0 else args.steps)
                    if number >= 0:
                        team.seconds[kind].append(seconds)
        parameters = teams[args.processes[0]].parameters
        machine = f'{platform.machine()} CPU, {cores()} cores'
        print(f'{machine}; torch {torch.__version__}; {args.config} at {args.size[0]}x{args.size[1]}, {parameters:,} parameters, '
              f'{4 * parameters / 1e6:.1f} MB of gradients a step; {args.threads} thread(s) a process, {args.rounds} rounds of '
              f'{args.steps} steps')
        if args.threads * max(args.processes) > cores():
            print(f'more threads than cores: with {cores() // args.threads + 1} processes and more, efficiency says nothing')
        found = table(teams)
        for team in teams.values():
            team.end()
    if args.json:
        args.json.write_text(json.dumps(dict(
            machine=machine, torch=torch.__version__, config=args.config, size=args.size, parameters=parameters, threads=args.threads,
            steps=args.steps, teams=found), indent=1))


if __name__ == '__main__':
    main()
