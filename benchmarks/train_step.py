"""Time training steps beside plain ones, in one run: the papers' networks, eager, in float32, updated as the official codes do it.

    python benchmarks/train_step.py                                     # every case on the CPU, one thread
    python benchmarks/train_step.py --cases stage2 --threads 2 --json step.json
    python benchmarks/train_step.py --device cuda --steps 20

Three ways, which take turns, so that a busy machine harms them alike:

- ``plain``: a straightforward loop of this file over the same networks: no loss or pass is shared, weights of discriminators get
  gradients where the official code gives them some, Adam as torch chooses it. On GPUs with TF32. Feature maps are given for free. It
  keeps no moving average of weights, as the official codes, and so the other ways keep none;
- ``toolkit``: ``train_step`` of the method, by default as a config computes it: float32;
- ``fast``: the same with what ``--fast`` of ``tools/train.py`` chooses on this machine. Feature maps and warps are computed.

On CPUs the clock is the CPU time of the process, which waiting for a busy core does not count, and the wall clock is told beside it; on
GPUs it is the wall clock around ``--steps`` steps. Ratios are plain / way, the median of the rounds and their spread. Each turn
begins with a step that does not count: memory that the other way gave back is asked for again in it.
"""

import argparse
import copy
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

if 'OMP_WAIT_POLICY' not in os.environ:
    os.environ.setdefault('GOMP_SPINCOUNT', '10000')

import numpy as np
import torch
from bench_warping import walk
from torch import Tensor

from toolkit.engine.fast import use_fast
from toolkit.engine.memory import keep_memory
from toolkit.engine.optim import NetworkOptimizers
from toolkit.losses.perceptual_backbones import vgg19_layers
from toolkit.masks.geometry import part_shapes
from toolkit.masks.parts import part_labels
from toolkit.masks.regions import pose_regions
from toolkit.model_parts.discriminator_view import Shown
from toolkit.models.base import VideoModel
from toolkit.poses.draw import draw_pose
from toolkit.registry import MODELS

ADAM = dict(type='Adam', lr=2e-4, betas=(0.5, 0.999))
GAN = dict(type='GANLoss', weight=1.0)
VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


def stage2(vgg: str) -> dict:
    """Paper A's stage II: two frames at 384x256, the coarse-to-fine generator, feature matching and VGG-19."""
    return dict(size=(384, 256), plain=pix2pixhd, groups=dict(g=['net_g'], d=['net_d']), model=dict(
        type='VideoPix2PixHD', ema=None, generator=dict(type='LocalEnhancer'), discriminator=dict(type='MultiscaleDiscriminator'),
        losses=dict(gan=GAN, fm=dict(type='FeatureMatchingLoss', weight=10.0),
                    perceptual=dict(type='PerceptualLoss', network='vgg19', weights=vgg, weight=10.0))))


def textured(vgg: str) -> dict:
    """The generator that copies, two frames at 192x128, references and scene given."""
    case = dict(stage2(vgg), size=(192, 128))
    case['model'] = dict(
        case['model'], feature_maps=dict(references=2, plate=True),
        generator=dict(type='BlendGenerator', generator=dict(type='GlobalGenerator', ngf=32, n_down=4, n_blocks=6)),
        discriminator_view=dict(crop='person', background=False))
    return case


def cyclegan(vgg: str) -> dict:
    """CycleGAN at 256x256, 9 blocks, no identity loss, batch 1."""
    return dict(size=(256, 256), plain=cycle_gan, groups=dict(g=['net_g_ab', 'net_g_ba'], d=['net_d_a', 'net_d_b']), model=dict(
        type='CycleGAN', generator=dict(type='ResNetGenerator', n_blocks=9), discriminator=dict(type='PatchGAN'),
        losses=dict(gan=GAN, cycle=dict(type='L1Loss', weight=10.0))))


def stage1(size: int) -> Callable[[str], dict]:
    """BicycleGAN as published, batch 2: one sample encoded, one for random codes."""
    small = size == 128

    def case(vgg: str) -> dict:
        return dict(size=(size, size), plain=bicycle_gan, groups=dict(g=['net_g'], e=['net_e'], d=['net_d'], d2=['net_d2']), model=dict(
            type='BicycleGAN', scheme='official', feature_maps=dict(edge_channel='real'),
            encoder=dict(type='RegionEncoder', region='up', sees='whole', encoder=dict(
                type='ResNetEncoder', nz=8, n_down=4 if small else 5, norm='instance', init='xavier', logvar_bias=0.0)),
            generator=dict(type='UNet', n_down=7 if small else 8, ngf=64, z_injection='all'),
            discriminator=dict(type='BicycleDiscriminator', n_layers=2 if small else 3),
            losses=dict(gan=GAN, gan2=GAN, l1=dict(type='L1Loss', weight=10.0), kl=dict(type='KLLoss', weight=0.01),
                        z=dict(type='L1Loss', weight=0.5))))
    return case


CASES = dict(stage1_128=stage1(128), stage1_256=stage1(256), stage2=stage2, cyclegan=cyclegan, textured=textured)


# ---- plain steps --------------------------------------------------------------------------------------------------------------------

def lsgan(scales: list, target: float) -> Tensor:
    """LSGAN, summed over scales."""
    return sum((layers[-1] - target).square().mean() for layers in scales)


def update(optimizer: torch.optim.Optimizer, *losses: Tensor) -> None:
    """Backward of each loss, and one update."""
    optimizer.zero_grad()
    for number, loss in enumerate(losses):
        loss.backward(retain_graph=number + 1 < len(losses))
    optimizer.step()


def pix2pixhd(nets: dict, optimizers: dict, given: dict) -> None:
    """pix2pixHD with the two-frame scheme of Everybody Dance Now."""
    features, real, vgg, see = given['features'], given['real'], given['vgg'], given['see']
    maps, fakes, previous = features[:, :, :given['maps']], [], torch.zeros_like(real[:, 0])
    for t in range(real.shape[1]):
        previous = nets['net_g'](torch.cat([features[:, t], previous], 1))
        fakes.append(previous)
    fake = torch.stack(fakes, 1)
    of_detached, of_real, of_fake = (nets['net_d'](see(maps, frames)) for frames in (fake.detach(), real, fake))
    loss = lsgan(of_fake, 1.0)
    for scale, true in zip(of_fake, of_real):
        loss = loss + 10 * sum((a - b.detach()).abs().mean() for a, b in zip(scale[:-1], true[:-1])) / len(of_fake)
    for t in range(real.shape[1]):
        for weight, a, b in zip(VGG_WEIGHTS, vgg(fake[:, t]), vgg(real[:, t])):
            loss = loss + 10 * weight * (a - b.detach()).abs().mean() / real.shape[1]
    update(optimizers['g'], loss)
    update(optimizers['d'], 0.5 * (lsgan(of_detached, 0.0) + lsgan(of_real, 1.0)))


def cycle_gan(nets: dict, optimizers: dict, given: dict) -> None:
    """CycleGAN without an identity loss."""
    a, b = given['a'], given['b']
    fake_b = nets['net_g_ab'](a)
    rec_a = nets['net_g_ba'](fake_b)
    fake_a = nets['net_g_ba'](b)
    rec_b = nets['net_g_ab'](fake_a)
    discriminators = nets['net_d_a'], nets['net_d_b']
    for net in discriminators:
        net.requires_grad_(False)
    loss = lsgan(nets['net_d_b'](fake_b), 1.0) + lsgan(nets['net_d_a'](fake_a), 1.0)
    update(optimizers['g'], loss + 10 * ((rec_a - a).abs().mean() + (rec_b - b).abs().mean()))
    for net in discriminators:
        net.requires_grad_(True)
    loss = 0
    for net, real, fake, pool in zip(discriminators, (a, b), (fake_a, fake_b), given['pools']):
        shown = fake.detach()
        if len(pool) < 50:
            pool.append(shown.clone())
        elif np.random.rand() < 0.5:
            place = np.random.randint(50)
            shown, pool[place] = pool[place], shown.clone()
        loss = loss + 0.5 * (lsgan(net(real), 1.0) + lsgan(net(shown), 0.0))
    update(optimizers['d'], loss)


def bicycle_gan(nets: dict, optimizers: dict, given: dict) -> None:
    """BicycleGAN with two discriminators; what the regression wants of E is computed and dropped, as there."""
    condition, first, second = given['condition'], given['first'], given['second']
    net_g, net_e, net_d, net_d2 = (nets[f'net_{name}'] for name in ('g', 'e', 'd', 'd2'))
    mu, logvar = net_e(first, None, None)
    fake = net_g(condition, mu + (0.5 * logvar).exp() * torch.randn_like(mu), None)
    code = torch.randn_like(mu)
    fake_random = net_g(condition, code, None)
    found, _ = net_e(fake_random, None, None)
    for net in (net_d, net_d2):
        net.requires_grad_(False)
    loss = lsgan(net_d(fake), 1.0) + lsgan(net_d2(fake_random), 1.0) + 10 * (fake - first).abs().mean()
    loss = loss + 0.01 * 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean()
    for name in 'ge':
        optimizers[name].zero_grad()
    loss.backward(retain_graph=True)
    net_e.requires_grad_(False)
    (0.5 * (found - code).abs().mean()).backward()
    for net in (net_e, net_d, net_d2):
        net.requires_grad_(True)
    for name in 'ge':
        optimizers[name].step()
    for name, net, painted, real in (('d', net_d, fake, first), ('d2', net_d2, fake_random, second)):
        update(optimizers[name], lsgan(net(painted.detach()), 0.0) + lsgan(net(real), 1.0))


# ---- data ---------------------------------------------------------------------------------------------------------------------------

def batch_of(model: VideoModel, height: int, width: int, domain: str | None = None) -> dict:
    """A batch in the form of the data set, with a person who walks, so that warps move what they move on real clips."""
    data = model.example_batch(height, width)
    data = data[domain] if domain else data
    generator, (samples, frames) = torch.Generator().manual_seed(len(domain or '')), data['frames'].shape[:2]
    poses = walk(samples * frames + 1, height, width)
    bodies = [part_shapes(pose, height, width).any(0).astype(np.uint8) * 255 for pose in poses]
    labels = torch.from_numpy(np.stack([part_labels(pose, body) for pose, body in zip(poses, bodies)]))
    drawn = torch.from_numpy(np.stack([draw_pose(pose, height, width) for pose in poses])).movedim(-1, 1)
    regions = torch.from_numpy(np.stack([pose_regions(pose, height, width) for pose in poses]))
    regions = (regions * 255).to(torch.uint8) if regions.dtype != torch.uint8 else regions
    made = dict(poses=torch.from_numpy(poses), parts=labels[:, None], pose_map=drawn, mask=(labels[:, None] > 0).to(torch.uint8) * 255,
                regions=regions)
    for key, value in data.items():
        name = {'pose_maps': 'pose_map', 'masks': 'mask'}.get(key, key.removeprefix('content_').removeprefix('reference_'))
        name = {'pose': 'poses'}.get(name, name)
        if not isinstance(value, Tensor) or key in ('index', 'follows', 'anchor'):
            continue
        if name in made and key.startswith(('content_', 'reference_')):
            data[key] = made[name][-1].expand(value.shape).clone()
        elif name in made:
            data[key] = made[name][:-1].reshape(value.shape).clone()
        elif value.dtype == torch.uint8:
            data[key] = torch.randint(0, 256, value.shape, dtype=torch.uint8, generator=generator)
    return data


def to(data: dict, device: str) -> dict:
    """Tensors of a batch on a device, as a loader would give them: pinned for a GPU."""
    def moved(value: object) -> object:
        if isinstance(value, dict):
            return to(value, device)
        return value.pin_memory() if device == 'cuda' and isinstance(value, Tensor) else value

    return {key: moved(value) for key, value in data.items()}


def given_for_plain(model: VideoModel, case: dict, data: dict) -> dict:
    """What a plain step is given."""
    if case['plain'] is cycle_gan:
        frames = {name: model.data_preprocessor(data[name])['frames'].flatten(0, 1) for name in 'ab'}
        return dict(frames, pools=([], []))
    batch = model.data_preprocessor(data)
    if case['plain'] is bicycle_gan:
        frames = model.frames_of(batch)
        return dict(condition=frames.features[:1], first=frames.images[:1], second=frames.images[1:])
    shown: Shown | None = None if model.discriminator_view is None else model.discriminator_view.of(batch, model.randn)

    def see(maps: Tensor, frames: Tensor) -> Tensor:
        maps, frames = (maps, frames) if shown is None else shown(maps, frames)
        return torch.cat([maps.flatten(1, 2), frames.flatten(1, 2)], 1)

    vgg = copy.deepcopy(model.losses['perceptual']._frozen[0])
    return dict(features=2 * model.feature_maps(batch) - 1, real=batch['frames'], maps=model.feature_maps.map_channels, vgg=vgg,
                see=see)


# ---- ways ---------------------------------------------------------------------------------------------------------------------------

def build(case: dict, device: str, options: dict, fast: bool) -> tuple[VideoModel, dict, str]:
    """Model, its optimizers, and what ``--fast`` said."""
    cfg = dict(model=copy.deepcopy(case['model']), optim_wrapper={
        name: dict(networks=networks, optimizer=dict(ADAM)) for name, networks in case['groups'].items()})
    said = ''
    if fast:
        cfg['model'].update(options)
        said = use_fast(cfg)
    torch.manual_seed(0)
    model = MODELS.build(cfg['model'])
    model.prepare_networks()
    model.to(device)
    return model, NetworkOptimizers(cfg['optim_wrapper'])(model), said


def ways_of(case: dict, args: argparse.Namespace) -> tuple[dict[str, Callable[[int], None]], list[str]]:
    """The steps, each called with the number of the iteration."""
    options = {key: False for key, off in (('compile_networks', args.no_compile), ('cuda_graph', args.no_graph)) if off}
    if args.compile:
        options['compile_networks'] = True
    ways, lines, made = {}, [], {}
    for name in args.ways:
        if name == 'plain':
            model = build(case, args.device, {}, False)[0]
            nets = model.networks()
            optimizers = {group: torch.optim.Adam([p for net in networks for p in nets[net].parameters()], 2e-4, (0.5, 0.999))
                          for group, networks in case['groups'].items()}
            data = batches(model, case, args.device)
            given = given_for_plain(model, case, data)
            ways[name] = lambda i, nets=nets, optimizers=optimizers, given=given: case['plain'](nets, optimizers, given)
            continue
        model, wrappers, said = build(case, args.device, options, name == 'fast')
        lines += [said] if said else []
        data = batches(model, case, args.device)

        def step(i: int, model: VideoModel = model, wrappers: dict = wrappers, data: dict = data) -> None:
            model.set_train_state(seed=0, rank=0, iteration=i, max_iters=10**6)
            model.train_step(data, wrappers)

        ways[name], made[name] = step, model
    return ways, lines, made


def batches(model: VideoModel, case: dict, device: str) -> dict:
    """The batch of a case."""
    size = case['size']
    if case['plain'] is cycle_gan:
        return to({name: batch_of(model, *size, name) for name in 'ab'}, device)
    return to(batch_of(model, *size), device)


def measure(case: dict, args: argparse.Namespace) -> dict:
    """Seconds a step of every way and round, and what was said."""
    ways, lines, made = ways_of(case, args)
    cuda, done = args.device == 'cuda', dict.fromkeys(ways, 0)
    result = {name: dict(seconds=[], wall=[], memory=0.0) for name in ways}

    def run(name: str, steps: int) -> tuple[float, float]:
        if not cuda:
            keep_memory(name == 'fast')
        start, cpu = time.perf_counter(), time.process_time()
        for _ in range(steps):
            ways[name](done[name])
            done[name] += 1
        if cuda:
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / steps, (time.process_time() - cpu) / steps

    for name in ways:
        start = time.perf_counter()
        run(name, 8 if cuda else 1)
        result[name]['first'] = time.perf_counter() - start
    for number in range(args.rounds):
        for name in ways if number % 2 == 0 else reversed(ways):
            if cuda:
                torch.cuda.reset_peak_memory_stats()
            run(name, 1)
            wall, cpu = run(name, args.steps)
            result[name]['wall'].append(wall)
            result[name]['seconds'].append(wall if cuda else cpu)
            if cuda:
                result[name]['memory'] = torch.cuda.max_memory_allocated() / 2**30
    for model in made.values():
        graph = model.step_graph
        if graph is not None:
            lines.append(f'CUDA graph: {graph.off or "recorded"}')
    return dict(ways=result, said=lines)


def table(name: str, case: dict, found: dict) -> None:
    """Print what was measured of a case."""
    print(f'\n{name}: {case["size"][0]}x{case["size"][1]}')
    for line in found['said']:
        print(f'  {line}')
    plain = found['ways'].get('plain')
    print(f'  {"way":8} {"ms a step":>10} {"wall ms":>9} {"plain / way":>22} {"GiB":>6} {"first s":>8}')
    for way, values in found['ways'].items():
        text = ''
        if plain:
            ratios = [a / b for a, b in zip(plain['seconds'], values['seconds'])]
            values['ratio'] = statistics.median(ratios), min(ratios), max(ratios)
            text = '{:.2f} ({:.2f} .. {:.2f})'.format(*values['ratio'])
        seconds, wall = (1000 * statistics.median(values[key]) for key in ('seconds', 'wall'))
        print(f'  {way:8} {seconds:10.1f} {wall:9.1f} {text:>22} {values["memory"]:6.2f} {values["first"]:8.1f}', flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--cases', nargs='+', choices=sorted(CASES), default=list(CASES))
    parser.add_argument('--ways', nargs='+', choices=['plain', 'toolkit', 'fast'], default=['plain', 'toolkit', 'fast'])
    parser.add_argument('--device', choices=['cpu', 'cuda'], default='cpu')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--steps', type=int, help='steps of a round (default: 1 on the CPU, 20 on a GPU)')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--compile', action='store_true', help='compile networks, also where --fast does not')
    parser.add_argument('--no-compile', action='store_true', help='leave compiling out, which takes minutes the first time')
    parser.add_argument('--no-graph', action='store_true', help='leave CUDA graphs out')
    parser.add_argument('--json', type=Path, help='write all measurements there')
    args = parser.parse_args()
    args.steps = args.steps or (20 if args.device == 'cuda' else 1)
    torch.set_num_threads(args.threads)
    if args.device == 'cuda':
        torch.backends.cudnn.benchmark = torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    machine = torch.cuda.get_device_name() if args.device == 'cuda' else f'{platform.machine()} CPU, {args.threads} thread(s)'
    print(f'{machine}; torch {torch.__version__}')
    results = dict(machine=machine, torch=torch.__version__, cases={})
    with tempfile.TemporaryDirectory() as folder:
        vgg = Path(folder) / 'vgg19.pth'
        torch.save({f'features.{key}': value for key, value in vgg19_layers().state_dict().items()}, vgg)
        for name in args.cases:
            case = CASES[name](str(vgg))
            results['cases'][name] = found = measure(case, args)
            table(name, case, found)
            if args.json:
                args.json.write_text(json.dumps(results, indent=1))


if __name__ == '__main__':
    main()
