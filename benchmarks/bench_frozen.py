"""How far a picture gets by the perceptual loss of VGG-19: in float32, in bfloat16, and as ``--fast`` runs it.

    python benchmarks/bench_frozen.py                      # 192x128, a synthetic person, random weights of VGG-19, three seeds
    python benchmarks/bench_frozen.py --weights vgg19-dcbb9e9d.pth --size 384x256

A frame of the person is the start, one of another moment the target. Its pixels are moved by Adam along the gradient of the loss, as
computed each way. Told are what the loss is then, computed in float32, as a share of that at the start, and CPU milliseconds of a step
of one thread. So the shares tell how much the rounding of a way keeps it from going on. ``--fast`` differs from bfloat16 by gradients
that come by Winograd's filtering.
"""

import argparse
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor, nn

from toolkit.channels_last import use_channels_last
from toolkit.engine.memory import keep_memory
from toolkit.losses.perceptual import PerceptualLoss
from toolkit.losses.perceptual_backbones import vgg19_layers
from toolkit.synthetic.actions import SyntheticActions

WAYS = ('float32', 'bfloat16', '--fast')


def random_weights(folder: str, seed: int) -> str:
    """A file of weights as drawn by He et al. 2015, which keep the size of the maps through all layers."""
    torch.manual_seed(seed)
    layers = vgg19_layers()
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.normal_(layer.bias, 0, 0.05)
    path = Path(folder) / f'vgg19_{seed}.pth'
    torch.save({f'features.{key}': value for key, value in layers.state_dict().items()}, path)
    return str(path)


def loss_of(way: str, weights: str) -> PerceptualLoss:
    """The loss in a way."""
    loss = PerceptualLoss(network='vgg19', weights=weights)
    if way != 'float32':
        loss.dtype = torch.bfloat16
        use_channels_last(loss._frozen[0], way == '--fast')
    return loss


def fit(loss: PerceptualLoss, start: Tensor, target: Tensor, steps: int) -> tuple[Tensor, float]:
    """The picture after some steps, and CPU seconds of one."""
    picture = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([picture], 0.02)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    loss(picture, target).backward()
    begun = time.process_time()
    for _ in range(steps):
        optimizer.zero_grad()
        loss(picture, target).backward()
        optimizer.step()
        schedule.step()
    return picture.detach(), (time.process_time() - begun) / steps


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--size', default='192x128', help='HxW (default 192x128)')
    parser.add_argument('--weights', help="file of torchvision's VGG-19; default: random ones, others for each seed")
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--steps', type=int, default=60)
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    height, width = (int(side) for side in args.size.split('x'))
    people = SyntheticActions(height=height, width=width)
    print(f'torch {torch.__version__}, {args.size}, {args.steps} steps')
    with tempfile.TemporaryDirectory() as folder:
        for seed in args.seeds:
            weights = args.weights or random_weights(folder, seed)
            start, target = (torch.from_numpy(people.render(actor=seed, action=3, t=t).frame).permute(2, 0, 1)[None] / 127.5 - 1
                             for t in (10, 0))
            judge = loss_of('float32', weights)
            with torch.no_grad():
                first = judge(start, target).item()
            for way in WAYS:
                picture, seconds = fit(loss_of(way, weights), start, target, args.steps)
                with torch.no_grad():
                    share = judge(picture, target).item() / first
                print(f'seed {seed}  {way:9} {share:.4f} of the loss at the start   {1000 * seconds:7.0f} ms a step', flush=True)


if __name__ == '__main__':
    main()
