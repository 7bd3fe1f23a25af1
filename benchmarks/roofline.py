"""How near a training step comes to what the machine can do: ``python benchmarks/roofline.py --case stage2``.

Measured in one run: the ceiling of convolutions (the fastest of several shapes of the papers' networks, forward and backward), the
ceiling of memory (copying a large array, bytes read and written), and steps of ``benchmarks/train_step.py``, plain and fast. The
operations of a step, backward passes and all, are counted by torch's FlopCounterMode while it runs. Told are operations a second and
the share of the ceiling of convolutions in the precision of that way. On CPUs the clock is the CPU time of one thread.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode
from train_step import CASES, ways_of

from toolkit.engine.memory import keep_memory
from toolkit.losses.perceptual_backbones import vgg19_layers

SHAPES = ((64, 64, 192, 128), (256, 256, 96, 64), (512, 512, 48, 32), (1024, 1024, 24, 16))
"""Channels in and out, height and width, of convolutions of 3 x 3."""


def seconds(work: Callable[[], object], device: str, repeats: int) -> float:
    """The best time of some calls, after one to warm up."""
    best = float('inf')
    for number in range(repeats + 1):
        clock = time.perf_counter if device == 'cuda' else time.process_time
        start = clock()
        work()
        if device == 'cuda':
            torch.cuda.synchronize()
        best = min(best, clock() - start) if number else best
    return best


def convolutions(device: str, dtype: torch.dtype, repeats: int) -> float:
    """Floating-point operations a second of the fastest shape, forward and backward."""
    best = 0.0
    for inside, outside, height, width in SHAPES:
        layout = torch.channels_last if dtype is torch.bfloat16 else torch.contiguous_format
        x = torch.rand(1, inside, height, width, device=device, dtype=dtype).to(memory_format=layout).requires_grad_()
        weight = torch.rand(outside, inside, 3, 3, device=device, dtype=dtype).to(memory_format=layout).requires_grad_()
        gradient = torch.rand(1, outside, height, width, device=device, dtype=dtype).to(memory_format=layout)
        spent = seconds(lambda x=x, weight=weight, gradient=gradient: torch.autograd.grad(
            F.conv2d(x, weight, padding=1), (x, weight), gradient), device, repeats)
        best = max(best, 3 * 2 * inside * outside * 9 * height * width / spent)
    return best


def bandwidth(device: str, repeats: int) -> float:
    """Bytes a second, read and written, of a copy of 256 MiB."""
    source, target = (torch.rand(2**26, device=device) for _ in range(2))
    return 2 * source.numel() * 4 / seconds(lambda: target.copy_(source), device, repeats)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--case', choices=sorted(CASES), default='stage1_128')
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    parser.add_argument('--repeats', type=int, default=3)
    parser.add_argument('--json', type=Path)
    args = parser.parse_args()
    args.ways, args.no_compile, args.no_graph, args.compile = ['plain', 'fast'], True, True, False
    torch.set_num_threads(1)
    ceilings = {dtype: convolutions(args.device, getattr(torch, dtype), args.repeats) for dtype in ('float32', 'bfloat16')}
    result = dict(bandwidth=bandwidth(args.device, args.repeats), ceilings=ceilings, steps={})
    print(f'copying {result["bandwidth"] / 1e9:.1f} GB/s; convolutions ' + ', '.join(
        f'{value / 1e9:.0f} GFLOP/s in {dtype}' for dtype, value in ceilings.items()))
    with tempfile.TemporaryDirectory() as folder:
        vgg = Path(folder) / 'vgg19.pth'
        torch.save({f'features.{key}': value for key, value in vgg19_layers().state_dict().items()}, vgg)
        ways = ways_of(CASES[args.case](str(vgg)), args)[0]
        for name, step in ways.items():
            if args.device == 'cpu':
                keep_memory(name == 'fast')
            with FlopCounterMode(display=False) as counter:
                step(0)
            count, spent = counter.get_total_flops(), seconds(lambda step=step: step(1), args.device, args.repeats)
            share = count / spent / ceilings['bfloat16' if name == 'fast' else 'float32']
            result['steps'][name] = dict(operations=count, seconds=spent, share=share)
            print(f'{args.case} {name}: {count / 1e9:.0f} GFLOP, {1000 * spent:.0f} ms, {count / spent / 1e9:.0f} GFLOP/s, '
                  f'{100 * share:.0f} % of the ceiling', flush=True)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
