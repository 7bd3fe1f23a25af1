"""Part masks of the source: the labels, with parts that share a joint overlapping around it so that bending opens no cracks."""

import math

import torch
from torch import Tensor

from toolkit.machine import on_device
from toolkit.masks.geometry import body_scale
from toolkit.skeletons import INDEX, NECK, NOSE, PARTS

SHARED_JOINTS = (
    ('right_shoulder', 'torso', 'right_upper_arm'), ('left_shoulder', 'torso', 'left_upper_arm'),
    ('right_hip', 'torso', 'right_upper_leg'), ('left_hip', 'torso', 'left_upper_leg'),
    ('right_elbow', 'right_upper_arm', 'right_lower_arm'), ('left_elbow', 'left_upper_arm', 'left_lower_arm'),
    ('right_knee', 'right_upper_leg', 'right_lower_leg'), ('left_knee', 'left_upper_leg', 'left_lower_leg'),
    ('neck', 'torso', 'head'))
"""Joint and the two parts that meet there; torso and head meet half way between neck and nose."""
JOINTS = [INDEX[joint] for joint, _, _ in SHARED_JOINTS]
FIRST = [PARTS.index(first) + 1 for _, first, _ in SHARED_JOINTS]
SECOND = [PARTS.index(second) + 1 for _, _, second in SHARED_JOINTS]
EXTENT_SCALE = (1.0, 1.0, math.sqrt(2), math.sqrt(2))


def _joints(pose: Tensor, overlap: float) -> tuple[Tensor, Tensor, Tensor]:
    """x (B, J), y (B, J) and disc radius (B, J), -1 where the joint is missing."""
    seen = pose.isfinite().all(-1) & (pose[..., 2] > 0)
    pose = torch.where(seen[..., None], pose, 0).double()
    middle = (pose[:, NECK] + pose[:, NOSE]) / 2
    x, y = (torch.cat([pose[:, JOINTS[:-1], i], middle[:, None, i]], 1) for i in (0, 1))
    found = torch.cat([seen[:, JOINTS[:-1]], (seen[:, NECK] & seen[:, NOSE])[:, None]], 1)
    return x, y, torch.where(found, overlap * body_scale(pose)[:, None], -1)


def part_bits(parts: Tensor, pose: Tensor, overlap: float, everywhere: bool = False) -> Tensor:
    """Which parts each source pixel belongs to.

    Args:
        parts: (B, H, W) uint8 labels 0..P.
        pose: (B, K, 3) source pose.
        overlap: radius in body scales of the disc round a joint within which both its parts own each other's pixels; 0 = none.
        everywhere: look at all pixels for each joint and not only at those nearby, as is always done on GPUs: how many these are, one
            would have to wait for.

    Returns:
        (B, H, W) int16; bit l is set where the pixel belongs to the part with label l (bit 0: background).
    """
    batch, height, width = parts.shape
    bits = torch.ones_like(parts, dtype=torch.int16, memory_format=torch.contiguous_format) << parts.to(torch.int16)
    if overlap <= 0 or batch == 0:
        return bits
    if parts.is_cuda or everywhere:
        return _bits_everywhere(bits, parts, *(on_device(v, parts.device)[..., None, None] for v in _joints(pose, overlap)))
    x, y, radius = (v[..., None] for v in _joints(pose, overlap))
    reach = min(int(math.ceil(max(float(radius.max()), 0))), height + width)
    offset = torch.arange(-reach, reach + 1, device=parts.device)
    dy, dx = (v.reshape(-1) for v in torch.meshgrid(offset, offset, indexing='ij'))
    column, row = x.clamp(-reach, width + reach).round().long() + dx, y.clamp(-reach, height + reach).round().long() + dy
    near = (column - x)**2 + (row - y)**2 <= radius**2
    near &= (radius >= 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    sample = torch.arange(batch, device=parts.device)[:, None, None]
    index = (sample * height + row.clamp(0, height - 1)) * width + column.clamp(0, width - 1)
    label = parts.reshape(-1)[index]
    first, second = (torch.tensor(labels, device=parts.device)[:, None] for labels in (FIRST, SECOND))
    added = (near & (label == first)) * (1 << second) + (near & (label == second)) * (1 << first)
    # every joint adds another bit to a label, so that adding up is the same as a bitwise or
    return bits.reshape(-1).scatter_add_(0, index.reshape(-1), added.to(torch.int16).reshape(-1)).reshape(parts.shape)


def _bits_everywhere(bits: Tensor, parts: Tensor, x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """``bits`` with what the joints (B, J, 1, 1) add."""
    rows, columns = (torch.arange(size, device=parts.device) for size in parts.shape[1:])
    near = ((columns - x)**2 + (rows[:, None] - y)**2 <= radius**2) & (radius >= 0)
    for joint, (first, second) in enumerate(zip(FIRST, SECOND)):
        at = near[:, joint]
        bits = bits | ((at & (parts == first)).to(bits.dtype) << second) | ((at & (parts == second)).to(bits.dtype) << first)
    return bits


def grow_extents(extents: Tensor, pose: Tensor, overlap: float) -> Tensor:
    """Extents of labels together with the joint discs of :func:`part_bits`.

    Args:
        extents: (B, P + 1, 2, 4) from :func:`toolkit.warpers.candidates.label_extents`.
        pose: (B, K, 3) source pose.
        overlap: as in :func:`part_bits`.

    Returns:
        (B, P + 1, 2, 4); labels that do not occur stay empty.
    """
    if overlap <= 0:
        return extents
    x, y, radius = _joints(pose, overlap)
    center = torch.stack([x, y, x + y, x - y], -1)
    margin = radius[..., None] * torch.tensor(EXTENT_SCALE, dtype=radius.dtype, device=radius.device)
    far = torch.where(radius[..., None] >= 0, 0, torch.inf)
    key = torch.tensor(FIRST + SECOND, device=extents.device)[None, :, None].expand(len(extents), -1, 4)
    low = extents[:, :, 0].scatter_reduce(1, key, (center - margin + far).repeat(1, 2, 1), 'amin')
    high = extents[:, :, 1].scatter_reduce(1, key, (center + margin - far).repeat(1, 2, 1), 'amax')
    occurs = (extents[:, :, 0] <= extents[:, :, 1])[:, :, None]
    return torch.where(occurs, torch.stack([low, high], 2), extents)
