"""Layers for channels last beside torch's, in half precision on a CPU: ``python benchmarks/bench_layers.py``.

CPU milliseconds of one thread for a layer forward, and forward and backward with gradients of input and weights. The two take turns;
ratios torch / toolkit are medians of the rounds with their range. Frozen layers are those of losses: their weights get no gradients.
Sizes are those of the papers' networks: pix2pixHD and VGG-19 at 384x256, U-Net of BicycleGAN at 128x128.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from toolkit.channels_last import shared_casts, use_channels_last
from toolkit.engine.memory import keep_memory

CASES = {
    'instance norm, 32 x 384 x 256': (lambda: nn.InstanceNorm2d(32), (1, 32, 384, 256)),
    'instance norm, 64 x 192 x 128': (lambda: nn.InstanceNorm2d(64), (1, 64, 192, 128)),
    'instance norm, 2 x 256 x 64 x 64': (lambda: nn.InstanceNorm2d(256), (2, 256, 64, 64)),
    '3x3, 1024 to 1024, 12 x 8': (lambda: nn.Conv2d(1024, 1024, 3, padding=1), (1, 1024, 12, 8)),
    '3x3, 512 to 512, 12 x 8': (lambda: nn.Conv2d(512, 512, 3, padding=1), (1, 512, 12, 8)),
    '4x4, stride 2, 512 to 512, 16 x 16': (lambda: nn.Conv2d(512, 512, 4, 2, 1), (1, 512, 16, 16)),
    '4x4, stride 2, 512 to 512, 4 x 4': (lambda: nn.Conv2d(512, 512, 4, 2, 1), (1, 512, 4, 4)),
    'transposed 4x4, 1024 to 512, 8 x 8': (lambda: nn.ConvTranspose2d(1024, 512, 4, 2, 1), (1, 1024, 8, 8)),
    '7x7, reflected, 32 to 3, 384 x 256': (lambda: nn.Conv2d(32, 3, 7, padding=3, padding_mode='reflect'), (1, 32, 384, 256)),
    '3x3, reflected, 64 to 64, 192 x 128': (lambda: nn.Conv2d(64, 64, 3, padding=1, padding_mode='reflect'), (1, 64, 192, 128)),
    'frozen 3x3, 128 to 128, 2 x 192 x 128': (lambda: nn.Conv2d(128, 128, 3, padding=1), (2, 128, 192, 128)),
    'frozen 3x3, 256 to 256, 2 x 96 x 64': (lambda: nn.Conv2d(256, 256, 3, padding=1), (2, 256, 96, 64)),
    'frozen 3x3, 512 to 512, 2 x 48 x 32': (lambda: nn.Conv2d(512, 512, 3, padding=1), (2, 512, 48, 32)),
    'transposed 3x3, 64 to 32, 192 x 128': (lambda: nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), (1, 64, 192, 128)),
    'transposed 4x4, 1024 to 512, 2 x 2': (lambda: nn.ConvTranspose2d(1024, 512, 4, 2, 1), (1, 1024, 2, 2)),
}


def passes(make: Callable[[], nn.Module], size: tuple[int, ...], ours: bool, frozen: bool) -> tuple[Callable, Callable]:
    """Forward, and forward and backward, of a layer with weights in half precision."""
    torch.manual_seed(0)
    layer = make().to(torch.bfloat16).requires_grad_(not frozen)
    use_channels_last(layer, frozen) if ours else layer.to(memory_format=torch.channels_last)
    x = torch.randn(size).bfloat16().contiguous(memory_format=torch.channels_last).requires_grad_()
    gradient = torch.randn_like(layer(x))

    def forward() -> Tensor:
        with shared_casts(), torch.autocast('cpu', torch.bfloat16):
            return layer(x)

    def both() -> None:
        layer.zero_grad()
        x.grad = None
        forward().backward(gradient)

    return forward, both


def seconds(function: Callable, times: int) -> float:
    """CPU seconds of a call."""
    function()
    start = time.process_time()
    for _ in range(times):
        function()
    return (time.process_time() - start) / times


def main() -> None:
    """Parse the command line, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--times', type=int, default=5, help='calls of a round')
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    print(f'torch {torch.__version__}\n{"":38}{"forward":>38}{"forward and backward":>38}')
    for name, (make, size) in CASES.items():
        ways, text = [passes(make, size, ours, name.startswith('frozen')) for ours in (False, True)], ''
        for number in (0, 1):
            found = [[seconds(way[number], args.times) for way in ways] for _ in range(args.rounds)]
            torchs, ours = (1000 * statistics.median(round_[i] for round_ in found) for i in (0, 1))
            ratios = [a / b for a, b in found]
            text += f'{torchs:9.2f} {ours:8.2f}  {statistics.median(ratios):6.2f} ({min(ratios):.2f} .. {max(ratios):.2f})'.rjust(38)
        print(f'{name:38}{text}', flush=True)


if __name__ == '__main__':
    main()
