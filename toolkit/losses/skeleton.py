"""Skeleton consistency. Source: Tsvetkov and Abu-Saleh, Unsupervised Domain Adaptation for Human Movement, equation 5."""

import inspect
from collections import OrderedDict
from collections.abc import Hashable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from toolkit import skeletons as sk
from toolkit.losses.frozen import FrozenNetworkLoss
from toolkit.poses.trained_pose_network import TrainedPoseNetwork
from toolkit.registry import LOSSES, POSE_ESTIMATORS
from toolkit.structures import InputError
from toolkit.warpers.similarity import rescale_maps

MAPS = ('heat', 'heat+paf')
WEIGHTINGS = ('uniform', 'foreground')
DEFAULT_STRIDE = 8
GAIN = 10.0
BODY_JOINTS = tuple(j for j in range(sk.K) if j not in sk.HEAD_JOINTS)
BODY_PAFS = tuple(
    sk.K + channel for limb, pair in zip(sk.LIMBS, sk.LIMB_PAFS) if not set(limb) & set(sk.HEAD_JOINTS) for channel in pair)
"""Channels behind the heatmaps of the fields of limbs without an end in the face."""


@LOSSES.register_module()
class SkeletonLoss(FrozenNetworkLoss):
    r"""Mean :math:`|H(\text{fake}) - H(\text{real})|` over maps, cells and samples; H is a frozen pose network.

    The raw maps are compared: no maximum, no parsing, no clipping, so that a gradient passes wherever the maps differ, also where they
    are negative. ``H(real)`` is computed without gradient. The network is no submodule (see
    :class:`toolkit.losses.frozen.FrozenNetworkLoss`) and runs in float32.

    Typical sizes are 1e-3 to 1e-2, as a person covers few cells: weight it by hundreds, or with ``weight='auto_freeze'`` in
    :class:`toolkit.models.cycle_gan.CycleGAN`.

    Args:
        pose_network: ``POSE_ESTIMATORS`` config of a network with ``heatmaps(images) -> (heat, paf)`` that passes gradients on, such as
            ``OpenPoseMobile``, ``OpenPose`` or ``TrainedPoseNetwork``; None for a model that only generates: the loss then cannot be
            computed.
        maps: 'heat+paf' (18 joint heatmaps and 38 part affinity fields) or 'heat'.
        face: also compare the maps of nose, eyes and ears and of the limbs between them. A small face is a few pixels, and a generator
            that has to please them may paint patterns instead.
        stage: compare the maps of this stage of the network, 1 the first; None the last. Its ``heatmaps`` must take ``stage``.
        scales: sides, in cells, of the squares over which both stacks of maps are averaged before they are compared; the loss is the
            mean over them. At scale 1, the loss as published, a person who is off by more than a cell costs more than no person at
            all (two wrong places instead of one), so that nothing pulls him to where he belongs; the larger squares do.
        weighting: 'uniform', or 'foreground': cells count ``1 + foreground_gain * max(heatmaps of both pictures)``.
        foreground_gain: see ``weighting``.
        min_side: pictures whose shorter side is smaller are enlarged (bilinear) to it before the network; None never. 256 is for
            published networks; a ``TrainedPoseNetwork`` knows people at the size that it was trained at.
        cache: keep the maps of so many real pictures, for data without random changes and a method that gives ``keys`` (CycleGAN).

    Raises:
        InputError: unknown option, an estimator without differentiable heatmaps or without stages, or a ``min_side`` that enlarges
            people beyond what a trained network knows.
        MissingWeightsError: the network's weights are missing.
    """

    inputs = ('fake', 'real')
    always_float32 = True
    for_generation = dict(pose_network=None)

    def __init__(self, pose_network: dict | None, maps: str = 'heat+paf', face: bool = True, stage: int | None = None,
                 scales: Sequence[int] = (1,), weighting: str = 'uniform', foreground_gain: float = GAIN, min_side: int | None = 256,
                 cache: int = 0):
        super().__init__()
        for name, value, known in (('maps', maps, MAPS), ('weighting', weighting, WEIGHTINGS)):
            if value not in known:
                raise InputError(f'SkeletonLoss: {name}={value!r} is unknown, expected one of {", ".join(known)}')
        if foreground_gain != GAIN and weighting != 'foreground':
            raise InputError(f"SkeletonLoss: foreground_gain={foreground_gain} has no effect with weighting={weighting!r}: set "
                             f"weighting='foreground', or leave foreground_gain out")
        if cache < 0 or (min_side is not None and min_side < 1) or (stage is not None and stage < 1):
            raise InputError(f'SkeletonLoss: cache={cache}, min_side={min_side}, stage={stage}: expected a cache of at least 0, a '
                             f'min_side and a stage of at least 1 or None')
        self.maps, self.weighting, self.foreground_gain, self.min_side = maps, weighting, foreground_gain, min_side
        if not scales or min(scales) < 1:
            raise InputError(f'SkeletonLoss: scales={tuple(scales)}, expected sides of squares of at least 1 cell')
        self.scales = tuple(scales)
        self.channels = None if face else BODY_JOINTS + (BODY_PAFS if maps == 'heat+paf' else ())
        self.stage = {} if stage is None else dict(stage=stage)
        self.cache, self._cached = cache, OrderedDict()
        self.inputs, self.optional_inputs = (*self.inputs, 'keys') if cache else self.inputs, ('anchors',)
        if pose_network is not None:
            self.freeze(self._build(pose_network))

    def _build(self, pose_network: dict) -> nn.Module:
        network = POSE_ESTIMATORS.build(pose_network)
        if not isinstance(network, nn.Module) or not hasattr(network, 'heatmaps'):
            raise InputError(f'{type(network).__name__} has no differentiable heatmaps for a skeleton loss; OpenPoseMobile, OpenPose '
                             f'and TrainedPoseNetwork have')
        if self.stage and 'stage' not in inspect.signature(network.heatmaps).parameters:
            raise InputError(f'{type(network).__name__}.heatmaps has no stages to choose from; leave stage=None')
        if isinstance(network, TrainedPoseNetwork) and (self.min_side or 0) > network.network.height:
            raise InputError(f'SkeletonLoss: min_side={self.min_side} enlarges pictures, but this TrainedPoseNetwork was trained on '
                             f'frames {network.network.height} pixels high and knows people at that size: set min_side=None, and train '
                             f'it at the size of the pictures')
        return network

    def forward(self, fake: Tensor, real: Tensor, anchors: Tensor | None = None, keys: Sequence[Hashable] | None = None) -> Tensor:
        """Scalar, float32, of fake and real (B, 3, H, W) RGB in [-1, 1]; ``fake`` should show the skeleton of ``real``.

        Args:
            fake, real: see above.
            anchors: (2, 3) x, y and body height in pixels, of the person in ``real`` and of the one in ``fake``: the maps of ``real``
                are scaled and moved from the one to the other first. None compares them in place.
            keys: names of the real pictures, equal only for equal pictures, with which their maps are cached; None does not cache.

        Raises:
            InputError: the loss was built without a pose network.
        """
        if not self._frozen:
            raise InputError('this SkeletonLoss was built without a pose network (pose_network=None), for generation only')
        with torch.autocast(fake.device.type, enabled=False):
            wanted = self._targets(real.detach().float(), keys)
            if anchors is not None:
                stride = getattr(self._frozen[0], 'stride', DEFAULT_STRIDE)
                wanted = rescale_maps(wanted, *anchors, cell=stride / self._enlargement(real))
            given = self._maps(fake.float())
            return torch.stack([self._distance(_pool(given, cells), _pool(wanted, cells)) for cells in self.scales]).mean()

    def _distance(self, given: Tensor, wanted: Tensor) -> Tensor:
        """Weighted mean absolute difference of two stacks of maps."""
        difference = (given - wanted).abs()
        if self.weighting == 'foreground':
            with torch.no_grad():
                joints = torch.maximum(given, wanted)[:, :self._joints].amax(1, keepdim=True)
                weight = 1 + self.foreground_gain * joints.clamp_min(0)
            difference = weight * difference
        return difference.mean()

    def extra_repr(self) -> str:
        """Name the network, which is no submodule, and the options."""
        network = type(self._frozen[0]).__name__ if self._frozen else None
        return f'network={network}, maps={self.maps!r}, scales={self.scales}, weighting={self.weighting!r}, min_side={self.min_side}'

    def _enlargement(self, images: Tensor) -> float:
        """Factor by which pictures are enlarged before the network."""
        return 1.0 if self.min_side is None else max(1.0, self.min_side / min(images.shape[-2:]))

    def _maps(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, h, w), joint heatmaps first."""
        factor = self._enlargement(images)
        if factor > 1:
            size = [round(side * factor) for side in images.shape[-2:]]
            images = F.interpolate(images, size, mode='bilinear', align_corners=False)
        heat, paf = self._frozen[0].heatmaps(images, **self.stage)
        self._joints = heat.shape[1] if self.channels is None else len(BODY_JOINTS)
        maps = heat if self.maps == 'heat' else torch.cat([heat, paf], 1)
        return maps if self.channels is None else maps[:, self.channels]

    @torch.no_grad()
    def _targets(self, images: Tensor, keys: Sequence[Hashable] | None) -> Tensor:
        """Maps of real pictures. With a cache they are computed one by one, so that a map never depends on its batch."""
        if not self.cache or keys is None:
            return self._maps(images)
        found = []
        for key, image in zip(keys, images, strict=True):
            known = self._cached.pop(key, None)
            known = self._maps(image[None]) if known is None or known.device != image.device else known
            self._cached[key] = known
            found.append(known)
        while len(self._cached) > self.cache:
            self._cached.popitem(last=False)
        return torch.cat(found)


def _pool(maps: Tensor, cells: int) -> Tensor:
    """Means over squares of ``cells`` cells that overlap by half; zero, nobody, lies beyond the border."""
    return maps if cells == 1 else F.avg_pool2d(maps, cells, max(1, cells // 2), cells // 2)
