"""Time a generator three ways in one run: plain float32, channels_last + bf16 autocast, and torch.compile on top.

    python benchmarks/bench_generator.py                        # CPU: the small generator; with a GPU: the papers' generator, too
    python benchmarks/bench_generator.py --size 384 256 --generator local --batch 1 --compile

Reports milliseconds of a forward pass without gradients and of a training step (forward and backward), the median of ``--repeats``
after warm-up, the step's peak GPU memory, and how far the output is from the plain one. The ways alternate, so that a busy machine
harms them alike.
"""

import argparse
import statistics
import time

import torch

from toolkit.generators.local_enhancer import LocalEnhancer
from toolkit.generators.pix2pixhd import GlobalGenerator

Z_DIMS = (16, 8)
GENERATORS = dict(
    tiny=lambda **o: GlobalGenerator(7, ngf=8, n_down=3, n_blocks=2, z_dims=Z_DIMS, **o),
    small=lambda **o: GlobalGenerator(7, ngf=16, n_down=3, n_blocks=3, z_dims=Z_DIMS, **o),
    local=lambda **o: LocalEnhancer(7, z_dims=Z_DIMS, **o),
    **{'global': lambda **o: GlobalGenerator(7, z_dims=Z_DIMS, **o)})


def variants(name: str, options: dict, device: str, compiled: bool) -> dict:
    """Build the same generator once for each way: name -> (generator, whether autocast, memory format)."""
    torch.manual_seed(0)
    plain = GENERATORS[name](**options).to(device)
    state = plain.state_dict()
    ways = {'fp32': (plain, False, torch.contiguous_format)}
    for label, memory_format in (('bf16', torch.contiguous_format), ('channels_last + bf16', torch.channels_last)):
        fast = GENERATORS[name](**options).to(device, memory_format=memory_format)
        fast.load_state_dict(state)
        ways[label] = (fast, True, memory_format)
        if compiled:
            ways[f'{label} + compile'] = (torch.compile(fast), True, memory_format)
    return ways


def run(way: tuple, inputs: tuple, train: bool) -> torch.Tensor:
    """One forward pass, or one forward and backward pass."""
    generator, half, memory_format = way
    x, z, regions = inputs
    with torch.set_grad_enabled(train), torch.autocast(x.device.type, torch.bfloat16, enabled=half):
        picture = generator(x.contiguous(memory_format=memory_format), z, regions).float()
    if train:
        picture.abs().mean().backward()
    return picture.detach()


def measure(ways: dict, inputs: tuple, train: bool, repeats: int, warmup: int) -> dict:
    """Median milliseconds and peak GPU memory in GiB of every way."""
    cuda = inputs[0].is_cuda
    times = {label: [] for label in ways}
    memory = dict.fromkeys(ways, 0.0)
    for i in range(warmup + repeats):
        for label, way in ways.items():
            if cuda:
                torch.cuda.reset_peak_memory_stats()
                torch.cuda.synchronize()
            start = time.perf_counter()
            run(way, inputs, train)
            if cuda:
                torch.cuda.synchronize()
                memory[label] = torch.cuda.max_memory_allocated() / 2**30
            if i >= warmup:
                times[label].append(1000 * (time.perf_counter() - start))
            way[0].zero_grad(set_to_none=True)
    return {label: (statistics.median(times[label]), memory[label]) for label in ways}


def bench(name: str, device: str, args: argparse.Namespace) -> None:
    """Print the table of one generator on one device."""
    height, width = args.size
    options = dict(checkpoint=args.checkpoint, up=args.up, z_injection=args.z_injection)
    ways = variants(name, options, device, args.compile)
    inputs = (torch.rand(args.batch, 7, height, width, device=device) * 2 - 1, torch.randn(args.batch, sum(Z_DIMS), device=device),
              torch.rand(args.batch, len(Z_DIMS), height, width, device=device))
    parameters = sum(p.numel() for p in ways['fp32'][0].parameters())
    where = torch.cuda.get_device_name() if device == 'cuda' else f'CPU, {torch.get_num_threads()} threads'
    print(f'\n{name}, {parameters:,} parameters, batch {args.batch}, {height} x {width}, {args.z_injection}; {where}; '
          f'torch {torch.__version__}')
    reference = run(ways['fp32'], inputs, False)
    forward, train = (measure(ways, inputs, train, args.repeats, args.warmup) for train in (False, True))
    print(f'{"way":32} {"forward ms":>11} {"train ms":>10} {"speed-up":>9} {"peak GiB":>9} {"mean |diff|":>12}')
    for label, way in ways.items():
        difference = (run(way, inputs, False) - reference).abs().mean().item()
        print(f'{label:32} {forward[label][0]:11.1f} {train[label][0]:10.1f} {train["fp32"][0] / train[label][0]:8.2f}x '
              f'{train[label][1]:9.2f} {difference:12.5f}')


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--generator', choices=sorted(GENERATORS), help='default: small on CPU, local on GPU')
    parser.add_argument('--device', choices=['cpu', 'cuda'], help='default: CPU, then the GPU if there is one')
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--size', type=int, nargs=2, metavar=('H', 'W'), help='default: 128 96 on CPU, 384 256 on GPU')
    parser.add_argument('--z-injection', default='region_film')
    parser.add_argument('--up', default='transposed')
    parser.add_argument('--checkpoint', action='store_true', help='activation checkpointing of the residual blocks')
    parser.add_argument('--compile', action='store_true', help='measure torch.compile, too (takes a minute to compile)')
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--repeats', type=int, default=7)
    parser.add_argument('--warmup', type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    devices = [args.device] if args.device else ['cpu', *(['cuda'] if torch.cuda.is_available() else [])]
    size = args.size
    for device in devices:
        args.size = size or ((128, 96) if device == 'cpu' else (384, 256))
        bench(args.generator or ('small' if device == 'cpu' else 'local'), device, args)


if __name__ == '__main__':
    main()
