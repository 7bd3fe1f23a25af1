"""A tiny CycleGAN and made-up batches for its tests."""

import torch
from torch import nn

from toolkit.engine.optim import NetworkOptimizers
from toolkit.registry import MODELS, POSE_ESTIMATORS

H, W = 32, 24
ANCHORS = torch.tensor([[12.0, 28.0, 20.0], [10.0, 26.0, 15.0]])


@POSE_ESTIMATORS.register_module()
class CyclePose(nn.Module):
    """A random pose network."""

    def __init__(self):
        super().__init__()
        state = torch.random.get_rng_state()
        torch.manual_seed(5)
        self.conv = nn.Conv2d(3, 56, 8, stride=8)
        torch.random.set_rng_state(state)

    def heatmaps(self, images):
        maps = self.conv(images)
        return maps[:, :18], maps[:, 18:]


SKELETON = dict(type='SkeletonLoss', pose_network=dict(type='CyclePose'), min_side=None, weight=2.0)
TEMPORAL = dict(type='GANLoss', weight=1.0)
VIDEO = dict(window=3, previous_frames=2, stateful=True, skeleton_scaling=True, foreground=dict(margin=0.05))


def build(losses=None, seed=0, **options):
    torch.manual_seed(seed)
    cycle = dict(type='L1Loss', weight=10.0, masked=options.get('foreground') is not None)
    model = MODELS.build(dict(
        type='CycleGAN', generator=dict(type='ResNetGenerator', ngf=4, n_blocks=1),
        discriminator=dict(type='PatchGAN', ndf=4, n_layers=2),
        losses=dict(dict(gan=dict(type='GANLoss'), cycle=cycle), **(losses or {})),
        **dict(dict(pool_size=3), **options)))
    for name, parameter in model.named_parameters():
        if name.startswith('net_g') and parameter.ndim > 1:
            parameter.data.mul_(5)
    return model


def build_video(**options):
    return build(dict(skeleton=dict(SKELETON, weight='auto_freeze'), temporal=TEMPORAL), **{**VIDEO, **options})


def optimizers(model, kind='Adam', lr=1e-3):
    entry = dict(optimizer=dict(type=kind, lr=lr))
    names = [n for n in model.networks() if not n.endswith('_ema')]
    return NetworkOptimizers(dict(g=dict(entry, networks=[n for n in names if 'net_g' in n]),
                                  d=dict(entry, networks=[n for n in names if 'net_d' in n])))(model)


def domain(size, frames, generator, first, anchor):
    def random(*shape):
        return torch.randint(0, 256, shape, generator=generator).to(torch.uint8)

    masks = torch.zeros(size, frames, 1, H, W, dtype=torch.uint8)
    masks[..., 8:24, 8:16] = 255
    return dict(frames=random(size, frames, 3, H, W), masks=masks, poses=torch.zeros(size, frames, 18, 3), plate=random(size, 3, H, W),
                clip=['clip'] * size, index=torch.full((size,), first), fps=torch.full((size,), 25.0),
                follows=torch.full((size,), first > 0), anchor=anchor.expand(size, -1).clone())


def batch_of(size=1, frames=1, seed=0, first=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: domain(size, frames, generator, first, ANCHORS[i]) for i, name in enumerate('ab')}


def clip_of(length=4, seed=0):
    """A whole-clip item with a batch axis."""
    item = batch_of(1, length, seed)['a']
    return dict(item, pose_maps=torch.zeros(1, length, 3, H, W, dtype=torch.uint8))


def images(data, name):
    return data[name]['frames'].flatten(0, 1).float() / 127.5 - 1
