"""Codes of regions, scene and pose, and what draws such codes. Source: Ma et al. 2018, Disentangled Person Image Generation."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from toolkit.generators.init import init_kaiming
from toolkit.skeletons import (
    HEAD_JOINTS,
    L_ANKLE,
    L_ELBOW,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_WRIST,
    NECK,
    R_ANKLE,
    R_ELBOW,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
    K,
)

REGIONS = (
    (*HEAD_JOINTS, NECK, R_SHOULDER, L_SHOULDER), (R_SHOULDER, L_SHOULDER, R_HIP, L_HIP, R_ELBOW, L_ELBOW, R_WRIST, L_WRIST),
    (R_HIP, L_HIP, R_KNEE, L_KNEE, R_ANKLE, L_ANKLE), (R_SHOULDER, R_ELBOW, R_WRIST), (L_SHOULDER, L_ELBOW, L_WRIST),
    (R_HIP, R_KNEE, R_ANKLE), (L_HIP, L_KNEE, L_ANKLE))
"""Joints of the seven regions: head and shoulders, upper and lower body, arms, legs."""
MARGIN = 0.15
"""How far a region reaches beyond its joints, in sides of the box around all joints."""


def cut_regions(pictures: Tensor, poses: Tensor, side: int = 48) -> Tensor:
    """The seven regions of a body, each resized to a square.

    Args:
        pictures: (N, C, H, W).
        poses: (N, 18, 3) in pixels.
        side: of the squares.

    Returns:
        (N, 7, C, side, side), bilinear; 0 where a pose shows no joint of a region.
    """
    seen = (poses[..., 2] > 0) & poses.isfinite().all(-1)
    far = torch.where(seen[..., None], poses[..., :2], torch.inf), torch.where(seen[..., None], poses[..., :2], -torch.inf)
    whole = (far[1].amax(1) - far[0].amin(1)).amax(-1, keepdim=True)
    extent = poses.new_tensor(pictures.shape[:-3:-1])
    unit = (torch.arange(side, device=poses.device) + 0.5) / side
    made = []
    for joints in REGIONS:
        low, high = far[0][:, list(joints)].amin(1) - MARGIN * whole, far[1][:, list(joints)].amax(1) + MARGIN * whole
        there = seen[:, list(joints)].any(1)
        low, high = (torch.where(there[:, None], corner, 0.0) for corner in (low, high))
        x, y = (low[:, i, None] + (high - low)[:, i, None] * unit for i in (0, 1))
        places = torch.stack([x[:, None].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], -1)
        made.append(F.grid_sample(pictures, 2 * (places + 0.5) / extent - 1, align_corners=False) * there[:, None, None, None])
    return torch.stack(made, 1)


class AppearanceEncoder(nn.Module):
    """Codes of the person's regions, by one network for all, and of the scene.

    Args:
        nef: channels after the first convolution.
        region_code: length of each region's code.
        scene_code: length of the scene's code.
        n_down: halvings of a picture before the mean over places.
    """

    def __init__(self, nef: int = 64, region_code: int = 32, scene_code: int = 128, n_down: int = 4) -> None:
        super().__init__()
        self.person, self.scene = _encoder(nef, n_down, region_code), _encoder(nef, n_down, scene_code)
        self.dims = len(REGIONS) * region_code, scene_code
        init_kaiming(self)

    def forward(self, pictures: Tensor, poses: Tensor, masks: Tensor) -> Tensor:
        """Encode.

        Args:
            pictures: (N, 3, H, W) in [-1, 1].
            poses: (N, 18, 3) in pixels.
            masks: (N, 1, H, W) of the person in [0, 1].

        Returns:
            (N, D): code of the person, then of the scene, see :attr:`dims`.
        """
        regions = cut_regions(pictures * masks, poses)
        return torch.cat([self.person(regions.flatten(0, 1)).unflatten(0, regions.shape[:2]).flatten(1),
                          self.scene(pictures * (1 - masks))], 1)


class PoseCoder(nn.Module):
    """Joints -> a short code -> joints, by three linear layers each.

    Args:
        width: of the layers between.
    """

    code = 32
    """Length of the code."""

    def __init__(self, width: int = 512) -> None:
        super().__init__()
        self.encoder, self.decoder = _layers(3 * K, width, self.code), _layers(self.code, width, 3 * K)

    def forward(self, joints: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 54) -> code (N, 32), and joints (N, 54) again."""
        code = self.encoder(joints)
        return code, self.decoder(code)


class Mapping(nn.Module):
    """Noise (N, D) -> codes (N, D): a linear layer, four residual blocks of two, a linear layer."""

    def __init__(self, dim: int, width: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(dim, width), nn.Linear(width, dim)
        self.blocks = nn.ModuleList(nn.Sequential(nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, width))
                                    for _ in range(4))

    def forward(self, noise: Tensor) -> Tensor:
        """Map."""
        h = F.leaky_relu(self.first(noise), 0.2)
        for block in self.blocks:
            h = F.leaky_relu(h + block(h), 0.2)
        return self.last(h)


class CodeMapping(nn.Module):
    """Noise -> codes, a network for each part of the code.

    Args:
        dims: lengths of the parts.
        width: of the layers.
    """

    def __init__(self, dims: Sequence[int], width: int = 512) -> None:
        super().__init__()
        self.dims, self.parts = list(dims), nn.ModuleList(Mapping(dim, width) for dim in dims)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, sum(dims)) -> (N, sum(dims))."""
        return torch.cat([part(given) for part, given in zip(self.parts, noise.split(self.dims, 1))], 1)


class CodeCritic(nn.Module):
    """How real codes are: four linear layers with spectral norm for each part of the code.

    Args:
        dims: lengths of the parts.
        width: of the layers.
    """

    def __init__(self, dims: Sequence[int], width: int = 512) -> None:
        super().__init__()
        self.dims, self.parts = list(dims), nn.ModuleList()
        for dim in dims:
            sizes = [dim, width, width, width, 1]
            layers = [layer for a, b in zip(sizes, sizes[1:]) for layer in (spectral_norm(nn.Linear(a, b)), nn.LeakyReLU(0.2))]
            self.parts.append(nn.Sequential(*layers[:-1]))

    def forward(self, codes: Tensor) -> list[list[Tensor]]:
        """(N, sum(dims)) -> scores (N, 1) of each part, as discriminators give those of scales."""
        return [[part(given)] for part, given in zip(self.parts, codes.split(self.dims, 1))]


def _encoder(nef: int, n_down: int, code: int) -> nn.Sequential:
    channels = [3, *(nef * min(2**level, 8) for level in range(n_down))]
    layers = [layer for a, b in zip(channels, channels[1:]) for layer in (nn.Conv2d(a, b, 4, 2, 1), nn.LeakyReLU(0.2))]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(3), nn.Flatten(), nn.Linear(9 * channels[-1], code))


def _layers(before: int, width: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, after))
