"""Random changes of pictures and their poses, for a whole batch at once."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from toolkit.skeletons import MIRROR_JOINT

CHANCE = 0.5
"""Of blur, and of noise."""


def augment(images: Tensor, poses: Tensor, rng: torch.Generator, rows: tuple[Tensor, int] | None, scale: float = 1.35,
            rotation: float = 12, shift: float = 0.15, color: float = 0.15, noise: float = 0.15) -> tuple[Tensor, Tensor]:
    """Mirror, turn, scale, move, recolor, blur and disturb each picture, and move its pose along.

    A pose network that is to look at generated pictures meets half-finished ones: in wrong colors, soft, speckled.

    Args:
        images: (B, 3, H, W) in [-1, 1].
        poses: (B, 18, 3), x and y in pixels, and confidence.
        rng: draws everything, on the CPU.
        rows: where these pictures are in a larger batch, (B,) indices, and its size: all of it is drawn, so that each picture is
            changed as it would be there. None where they are all.
        scale: largest factor, and one over the smallest.
        rotation: largest angle, in degrees.
        shift: largest move along each axis, as a share of the picture's side.
        color: standard deviation of a random linear map of the channels from the identity, and of its offset.
        noise: largest standard deviation.

    Returns:
        Images within [-1, 1], and poses; joints that have left the picture have confidence 0.
    """
    height, width = images.shape[-2:]
    mine, count = rows or (slice(None), len(images))

    def draw(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=rng)[mine].to(images.device) * (high - low) + low

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=rng)[mine].to(images.device)

    def speckles() -> Tensor:
        seeds = torch.randint(2**62, (count,), generator=rng)[mine]
        drawn = [torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(seed)) for seed in seeds.tolist()]
        return torch.stack(drawn).to(images.device)

    angle, zoom = draw(-1, 1) * math.radians(rotation), (draw(-1, 1) * math.log(scale)).exp()
    mirrored = draw(0, 1) < 0.5
    sign = 1 - 2 * mirrored.float()
    cos, sin = angle.cos() / zoom, angle.sin() / zoom
    back = torch.stack([torch.stack([sign * cos, -sign * sin], 1), torch.stack([sin, cos], 1)], 1)
    half = torch.tensor([width, height], device=images.device) / 2
    move = draw(-1, 1, 2) * 2 * shift
    theta = torch.cat([back * half[None, None] / half[None, :, None], move[..., None]], 2)
    images = F.grid_sample(images, F.affine_grid(theta, list(images.shape), align_corners=False), padding_mode='border',
                           align_corners=False)
    places = torch.linalg.solve(back, (poses[..., :2] + 0.5 - half - (move * half)[:, None]).transpose(1, 2)).transpose(1, 2)
    places = places + half - 0.5
    inside = ((places > -0.5) & (places < 2 * half - 0.5)).all(-1)
    poses = torch.cat([places, (poses[..., 2] * inside)[..., None]], -1)
    poses = torch.where(mirrored[:, None, None], poses[:, torch.from_numpy(MIRROR_JOINT)], poses)

    mix = torch.eye(3, device=images.device) + color * normal(3, 3)
    offset = color * normal(3, 1, 1)
    images = torch.einsum('bij,bjhw->bihw', mix, images) + offset
    soft = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode='replicate'), 3, 1)
    images = torch.lerp(images, soft, draw(0, 1, 1, 1, 1) * (draw(0, 1, 1, 1, 1) < CHANCE))
    strength = draw(0, noise, 1, 1, 1) * (draw(0, 1, 1, 1, 1) < CHANCE)
    images = images + strength * speckles()
    return images.clamp(-1, 1), poses
