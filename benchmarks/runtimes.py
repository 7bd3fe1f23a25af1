"""Pictures a second of a generator's network by several runtimes, in one run: ``python benchmarks/runtimes.py --size 384x256``.

The network is that of the generator that comes with the toolkit, batch 1, on the CPU. Runtimes take turns; printed are the medians of
their wall and CPU time, the ratio to eager float32 in CPU time, and how far pictures in [-1, 1] are from it. Runtimes that are not
installed are left out. ``torch.compile`` takes minutes before it begins: ``--compile``.
"""

import argparse
import copy
import importlib.util
import json
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import torch

from toolkit import apis
from toolkit.inference.exporting import export_network
from toolkit.inference.fast import ByOpenVINO, halve
from toolkit.inference.frozen_norms import freeze_norms
from toolkit.inference.runtimes import run_file
from toolkit.machine import machine
from toolkit.models.compiling import compile_network
from toolkit.packaged import PRETRAINED


def runtimes(size: tuple[int, int], folder: Path, compile_too: bool) -> tuple[dict, torch.Tensor]:
    """name -> what paints, and an input."""
    here, trained = machine('cpu'), apis.load(PRETRAINED, 'cpu')
    net = trained.model.net_g.to(memory_format=torch.contiguous_format).eval()
    x = torch.rand(1, net.painter.input_nc, *size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    ways = {'eager float32': net}

    def autocast(network):
        def paint(x: torch.Tensor) -> torch.Tensor:
            with torch.autocast('cpu', torch.bfloat16):
                return network(x).float()
        return paint

    if here.half:
        half = copy.deepcopy(net)
        halve(half, here)
        ways['eager bfloat16'] = autocast(half)
        if compile_too:
            fused = copy.deepcopy(net)
            compile_network(fused, {})
            ways['torch.compile bfloat16'] = autocast(fused)
    if compile_too:
        fused = copy.deepcopy(net)
        compile_network(fused, {})
        ways['torch.compile float32'] = fused
    frozen = copy.deepcopy(net)
    freeze_norms(frozen, [(x,)])
    ways['eager float32, norms frozen'] = frozen
    if importlib.util.find_spec('onnx') and importlib.util.find_spec('onnxruntime'):
        export_network(trained, folder / 'net.onnx', size)
        ways['ONNX Runtime float32'] = run_file(folder / 'net.onnx')
    if here.openvino:
        for half in dict.fromkeys([None, here.half]):
            for name, network in (('', net), (', norms frozen', frozen)):
                network = copy.deepcopy(network)
                network.forward = ByOpenVINO(network, half)
                ways[f'OpenVINO {half or "float32"}{name}'] = network
    return ways, x


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition('\n\n')[0], epilog=__doc__.partition('\n\n')[2],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', type=lambda text: tuple(map(int, text.split('x'))), default=(384, 256), metavar='HxW')
    parser.add_argument('--rounds', type=int, default=8)
    parser.add_argument('--threads', type=int, default=torch.get_num_threads())
    parser.add_argument('--compile', action='store_true')
    parser.add_argument('--json', type=Path, metavar='FILE')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    warnings.simplefilter('ignore')
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        ways, x = runtimes(args.size, Path(folder), args.compile)
        wanted, seconds, pictures = ways['eager float32'](x), {name: [] for name in ways}, {}
        for number in range(args.rounds + 2):
            for name, paint in ways.items():
                wall, cpu = time.perf_counter(), time.process_time()
                pictures[name] = paint(x)
                if number > 1:
                    seconds[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    plain = statistics.median(cpu for _, cpu in seconds['eager float32'])
    rows = []
    print(f'{machine("cpu").name}, {args.threads} thread(s), {args.size[0]}x{args.size[1]}, torch {torch.__version__}')
    for name, taken in seconds.items():
        wall, cpu = (statistics.median(values) for values in zip(*taken))
        difference = (pictures[name] - wanted).abs()
        rows.append(dict(name=name, wall_ms=1000 * wall, cpu_ms=1000 * cpu, ratio_cpu=plain / cpu,
                         mean_difference=float(difference.mean()), largest_difference=float(difference.max())))
        print(f'{name:32} wall {1000 * wall:7.1f} ms  CPU {1000 * cpu:7.1f} ms  {plain / cpu:5.2f}x  difference: mean '
              f'{difference.mean():.1e}, largest {difference.max():.1e}')
    if args.json:
        args.json.write_text(json.dumps(dict(machine=machine('cpu').name, threads=args.threads, size=args.size, rows=rows), indent=1))


if __name__ == '__main__':
    main()
