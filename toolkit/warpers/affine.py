"""One affine transform per body part from two poses: closed form for limbs, regularized least squares for torso and head.

Source: Deformable GAN (Siarohin et al. 2018), completed for missing and degenerate joints.
"""

import torch
from torch import Tensor

from toolkit.masks.geometry import body_scale
from toolkit.skeletons import HEAD_JOINTS, L_SHOULDER, LIMB_PARTS, MIRROR_PART, NECK, R_SHOULDER, TORSO_JOINTS
from toolkit.structures import InputError

DET_RANGE = (1 / 16, 16.0)
MIN_LENGTH = 2.0
REGULARIZATION = 0.1
HALF_WIDTH = 0.2
"""Half width of the limb rectangle in body scales; matters only for the similarity fallback."""

LIMBS = tuple(sorted(LIMB_PARTS))
LIMB_STARTS = [LIMB_PARTS[p][0] for p in LIMBS]
LIMB_ENDS = [LIMB_PARTS[p][1] for p in LIMBS]
MIRRORED_LIMBS = [LIMBS.index(MIRROR_PART[p]) for p in LIMBS]
SHOULDERS = [R_SHOULDER, L_SHOULDER]


@torch.no_grad()
def part_affines(
    source_pose: Tensor,
    target_pose: Tensor,
    regularization: float = REGULARIZATION,
    min_length: float = MIN_LENGTH,
    det_range: tuple[float, float] = DET_RANGE,
    consecutive: bool = False,
    rigid_head: bool = False,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Affine transform of every body part from target to source pixels.

    Limbs map bone to bone along the bone and by the ratio of body scales across it:
    :math:`T(p) = a_1 + \frac{L_1}{L_2} ((p - a_2) \cdot u_2) u_1 + \frac{s_1}{s_2} ((p - a_2) \cdot n_2) n_1` (1 source, 2 target),
    which is the least-squares fit of the four corners of a limb rectangle. Torso (4 joints) and head (common head joints and both
    shoulders) minimize :math:`\sum |T x_i - y_i|^2 + \mu |A - A_{sim}|^2` with :math:`\mu = 0.1 s_2^2` and the best similarity
    :math:`A_{sim}`.

    What happens when joints are missing (confidence 0, NaN, infinite) or degenerate:

    - limb missing in the target, or shorter than ``min_length``: part is invalid;
    - limb missing in the source: the limb of the other side is used (``mirrored``); both missing: invalid;
    - torso joint missing: fit over the remaining common ones and the neck; with fewer than two, translation and scale at the neck or
      the shoulders, else invalid (see ``consecutive``);
    - no common head joint, or too few points: translation and scale :math:`s_1/s_2` at the common head joints, neck or shoulders;
    - determinant outside of ``det_range`` or not finite: best similarity, for torso and head then translation and scale, else invalid.

    Args:
        source_pose: (B, K, 3) x, y in pixels and confidence.
        target_pose: (B, K, 3).
        regularization: :math:`\mu / s_2^2`; 0 = plain least squares.
        min_length: shortest bone in pixels.
        det_range: smallest and largest allowed absolute determinant.
        consecutive: the batch is a sequence of frames: an invalid torso takes over the last valid transform.
        rigid_head: the head is turned as a whole, by its common joints and the neck, and scaled by :math:`s_1/s_2`; shoulders do not
            count. A head that leans forward or looks elsewhere is not stretched then.

    Returns:
        matrices (B, P, 2, 3) float64, zero where invalid; valid (B, P) bool; mirrored (B, P) bool.

    Convention:
        Direction target -> source: ``source = A @ target + t``; pixel centers at integer coordinates. No gradient reaches the poses.
    """
    source, target = _clean(source_pose, 'source_pose'), _clean(target_pose, 'target_pose')
    if source.shape != target.shape:
        raise InputError(f'source_pose {tuple(source.shape)} and target_pose {tuple(target.shape)} differ in shape: expand the source '
                         'to one per target')
    scales = body_scale(torch.stack([source, target])).unbind(0)
    trunk, trunk_valid = _fit_torso_and_head(source, target, scales, regularization, det_range, rigid_head)
    if consecutive:
        held, held_valid = _hold_last(trunk[:, 0], trunk_valid[:, 0])
        trunk, trunk_valid = torch.stack([held, trunk[:, 1]], 1), torch.stack([held_valid, trunk_valid[:, 1]], 1)
    limbs, limbs_valid, limbs_mirrored = _fit_limbs(source, target, scales, min_length, det_range)
    matrices = torch.cat([trunk, limbs], 1)
    valid = torch.cat([trunk_valid, limbs_valid], 1)
    mirrored = torch.cat([torch.zeros_like(trunk_valid), limbs_mirrored & limbs_valid], 1)
    return torch.where(valid[..., None, None], matrices, 0), valid, mirrored


def _clean(pose: Tensor, name: str) -> Tensor:
    if pose.ndim != 3 or pose.shape[-1] != 3:
        raise InputError(f'{name} must have shape (B, K, 3), got {tuple(pose.shape)}')
    pose = pose.double()
    seen = pose.isfinite().all(-1) & (pose[..., 2] > 0)
    return torch.where(seen[..., None], pose, 0)


def _with_translation(linear: Tensor, target: Tensor, source: Tensor) -> Tensor:
    """(..., 2, 3) transform with the given linear part that takes the point ``target`` to ``source``."""
    return torch.cat([linear, (source - (linear @ target[..., None])[..., 0])[..., None]], -1)


def _usable(matrices: Tensor, det_range: tuple[float, float]) -> Tensor:
    linear = matrices[..., :2]
    det = (linear[..., 0, 0] * linear[..., 1, 1] - linear[..., 0, 1] * linear[..., 1, 0]).abs()
    return matrices.isfinite().all(-1).all(-1) & (det >= det_range[0]) & (det <= det_range[1])


def fit_points(target: Tensor, source: Tensor, weights: Tensor, mu: Tensor) -> tuple[Tensor, Tensor]:
    r"""Regularized affine and best similarity that take target points to source points.

    Minimizes :math:`\sum_i w_i |A x_i + t - y_i|^2 + \mu |A - A_{sim}|^2`.

    Args:
        target: (..., N, 2) points x.
        source: (..., N, 2) points y.
        weights: (..., N) >= 0.
        mu: (...) >= 0.

    Returns:
        affine (..., 2, 3) and similarity (..., 2, 3); not finite where the points do not determine them.
    """
    total = weights.sum(-1)[..., None]
    x_mean, y_mean = (weights[..., None] * target).sum(-2) / total, (weights[..., None] * source).sum(-2) / total
    dx, dy = target - x_mean[..., None, :], source - y_mean[..., None, :]
    wx = weights[..., None] * dx
    spread = (wx * dx).sum((-1, -2))
    a = (wx * dy).sum((-1, -2)) / spread
    b = (wx[..., 0] * dy[..., 1] - wx[..., 1] * dy[..., 0]).sum(-1) / spread
    similar = torch.stack([torch.stack([a, -b], -1), torch.stack([b, a], -1)], -2)
    ridge = mu[..., None, None] * torch.eye(2, dtype=target.dtype, device=target.device)
    xx = wx.transpose(-1, -2) @ dx + ridge
    yx = dy.transpose(-1, -2) @ wx + mu[..., None, None] * similar
    det = xx[..., 0, 0] * xx[..., 1, 1] - xx[..., 0, 1] * xx[..., 1, 0]
    swapped = torch.stack([torch.stack([xx[..., 1, 1], -xx[..., 0, 1]], -1), torch.stack([-xx[..., 1, 0], xx[..., 0, 0]], -1)], -2)
    affine = yx @ (swapped / det[..., None, None])
    return _with_translation(affine, x_mean, y_mean), _with_translation(similar, x_mean, y_mean)


def _first_usable(matrices: Tensor, allowed: Tensor, fallbacks: list, det_range: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """First transform of several that is allowed and usable, per sample.

    Args:
        matrices: (..., 2, 3).
        allowed: (...) bool.
        fallbacks: functions of no argument that give further matrices and where they are allowed; called only where needed.
        det_range: smallest and largest absolute determinant.
    """
    found = allowed & _usable(matrices, det_range)
    for fallback in fallbacks:
        if not found.is_cuda and bool(found.all()):  # asking a GPU would wait for it
            break
        candidate, allowed = fallback()
        take = allowed & ~found & _usable(candidate, det_range)
        matrices, found = torch.where(take[..., None, None], candidate, matrices), found | take
    return matrices, found


def _fit_torso_and_head(source, target, scales, regularization, det_range, rigid_head):
    """(B, 2, 2, 3) transforms and (B, 2) whether they are usable."""
    common = (source[..., 2] > 0) & (target[..., 2] > 0)
    corners, head, shoulders, neck = (common * _only(joints, common) for joints in (TORSO_JOINTS, HEAD_JOINTS, SHOULDERS, [NECK]))
    both_shoulders = shoulders * (shoulders.sum(-1, keepdim=True) == 2)
    incomplete = corners.sum(-1, keepdim=True) < len(TORSO_JOINTS)
    weights = torch.stack([corners + neck * incomplete, head + shoulders], 1).to(source.dtype)
    count = weights.sum(-1)
    enough = torch.stack([count[:, 0] >= 2, (count[:, 1] >= 3) & (head.sum(-1) >= 1)], 1)
    x, y = target[:, None, :, :2], source[:, None, :, :2]
    affine, similar = fit_points(x, y, weights, (regularization * scales[1]**2)[:, None])
    if rigid_head:
        whole = _turned(x[:, 0], y[:, 0], (head + neck).to(source.dtype), scales)
        affine, similar = (torch.stack([fit[:, 0], whole], 1) for fit in (affine, similar))
        enough = torch.stack([enough[:, 0], (head.sum(-1) >= 1) & ((head + neck).sum(-1) >= 2)], 1)

    def moved():
        anchors = torch.stack([neck, head], 1)
        for otherwise in ([both_shoulders, neck], [corners, both_shoulders]):
            anchors = torch.where(anchors.sum(-1, keepdim=True) > 0, anchors, torch.stack(otherwise, 1))
        return _move_and_scale(x, y, anchors.to(source.dtype), scales), anchors.sum(-1) > 0

    return _first_usable(affine, enough, [lambda: (similar, enough), moved], det_range)


def _turned(target: Tensor, source: Tensor, weights: Tensor, scales: tuple[Tensor, Tensor]) -> Tensor:
    """(..., 2, 3) rotation and translation of weighted points, with the scale of the bodies."""
    total = weights.sum(-1, keepdim=True)
    x, y = ((weights[..., None] * points).sum(-2) / total for points in (target, source))
    dx, dy = weights[..., None] * (target - x[..., None, :]), source - y[..., None, :]
    a, b = (dx * dy).sum((-1, -2)), (dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]).sum(-1)
    a, b = (value / torch.hypot(a, b) * scales[0] / scales[1] for value in (a, b))
    return _with_translation(torch.stack([torch.stack([a, -b], -1), torch.stack([b, a], -1)], -2), x, y)


def _only(joints, like: Tensor) -> Tensor:
    """(K,) 1 at the given joints, else 0."""
    return torch.tensor([int(j in joints) for j in range(like.shape[-1])], device=like.device)


def _move_and_scale(target: Tensor, source: Tensor, weights: Tensor, scales: tuple[Tensor, Tensor]) -> Tensor:
    """Translation of the weighted mean point and scale by the ratio of body scales."""
    total = weights.sum(-1, keepdim=True)
    x, y = ((weights[..., None] * points).sum(-2) / total for points in (target, source))
    linear = (scales[0] / scales[1])[:, None, None, None] * torch.eye(2, dtype=source.dtype, device=source.device)
    return _with_translation(linear.expand(*x.shape, 2), x, y)


def limb_affine(a1: Tensor, b1: Tensor, a2: Tensor, b2: Tensor, s1: Tensor, s2: Tensor) -> Tensor:
    """Closed form of the limb transform (..., 2, 3), target -> source, see :func:`part_affines`.

    Args:
        a1, b1: (..., 2) first and second joint in the source.
        a2, b2: (..., 2) the same in the target.
        s1, s2: (...) body scale of source and target.

    Returns:
        Not finite where a bone has no length.
    """
    d1, d2 = b1 - a1, b2 - a2
    length1, length2 = d1.norm(dim=-1, keepdim=True), d2.norm(dim=-1, keepdim=True)
    u1, u2 = d1 / length1, d2 / length2
    n1, n2 = (torch.stack([-u[..., 1], u[..., 0]], -1) for u in (u1, u2))
    along = (length1 / length2)[..., None] * u1[..., :, None] * u2[..., None, :]
    across = (s1 / s2)[..., None, None] * n1[..., :, None] * n2[..., None, :]
    return _with_translation(along + across, a2, a1)


def _corners(a: Tensor, b: Tensor, scale: Tensor) -> Tensor:
    """(..., 4, 2) corners of the rectangle around a bone."""
    along = b - a
    normal = torch.stack([-along[..., 1], along[..., 0]], -1) / along.norm(dim=-1, keepdim=True)
    side = HALF_WIDTH * scale[..., None] * normal
    return torch.stack([a + side, a - side, b - side, b + side], -2)


def _fit_limbs(source, target, scales, min_length, det_range):
    def bones(pose):
        a, b = pose[:, LIMB_STARTS], pose[:, LIMB_ENDS]
        seen = (a[..., 2] > 0) & (b[..., 2] > 0) & ((b - a)[..., :2].norm(dim=-1) >= min_length)
        return a[..., :2], b[..., :2], seen

    a2, b2, target_seen = bones(target)
    a1, b1, own = bones(source)
    mirrored = ~own & own[:, MIRRORED_LIMBS]
    a1, b1 = (torch.where(mirrored[..., None], v[:, MIRRORED_LIMBS], v) for v in (a1, b1))
    s1, s2 = (s[:, None].expand_as(own) for s in scales)
    allowed = target_seen & (own | mirrored)
    closed = limb_affine(a1, b1, a2, b2, s1, s2)

    def similar():
        corners2, corners1 = _corners(a2, b2, s2), _corners(a1, b1, s1)
        return fit_points(corners2, corners1, torch.ones_like(corners2[..., 0]), torch.zeros_like(s2))[1], allowed

    matrices, valid = _first_usable(closed, allowed, [similar], det_range)
    return matrices, valid, mirrored


def _hold_last(matrices: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Replace invalid transforms by the last valid one before them."""
    order = torch.arange(len(valid), device=valid.device)
    last = torch.where(valid, order, -1).cummax(0).values
    return matrices[last.clamp(min=0)], last >= 0
