"""Training a pose network on prepared clips, so that it knows the people in them at the size they have there."""

import logging
from collections.abc import Mapping

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from torch import Tensor
from torch.utils.data import Dataset

from toolkit.fit import SIDE, check_attributes, check_call
from toolkit.model_parts.pose_augmentation import augment
from toolkit.models.base import VideoModel
from toolkit.models.transfer import check_one_size, transfer_result
from toolkit.poses.decode import cell_to_pixel, refine_peak
from toolkit.poses.fields import pose_fields
from toolkit.registry import MODELS, POSE_NETWORKS
from toolkit.skeletons import LIMBS, K
from toolkit.structures import InputError

CHUNK = 32


@MODELS.register_module()
class PoseTraining(VideoModel):
    """Learn the joint heatmaps and part affinity fields of the poses of prepared clips.

    Losses, see :class:`toolkit.models.loss_table.LossTable`, are offered ``maps``: ``fake``, the maps of the network, and ``real``,
    those of :func:`toolkit.poses.fields.pose_fields`, both (N, 57, h, w).

    Args:
        network: ``POSE_NETWORKS`` config of a network with ``stride`` and ``multiple`` that gives both maps, such as ``PoseUNet``.
        sigma: of a joint's Gaussian, in pixels.
        limb_width: of a limb's field, in pixels.
        augmentation: arguments of :func:`toolkit.model_parts.pose_augmentation.augment`; None changes nothing.
        losses: see above; by default ``mse`` alone, a :class:`toolkit.losses.summed_squares.SummedSquaresLoss`.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: no loss to learn from.
    """

    window = 1
    offers = dict(maps=('fake', 'real'))

    nested = dict(augmentation=augment)

    def __init__(self, network: dict, sigma: float = 2.0, limb_width: float = 1.5, augmentation: dict | None = None,
                 losses: dict | None = None, **kwargs) -> None:
        super().__init__(losses=dict(mse=dict(type='SummedSquaresLoss')) if losses is None else losses, **kwargs)
        self.losses.check_some()
        self.net_h = POSE_NETWORKS.build(network)
        check_attributes(POSE_NETWORKS, self.net_h, 'PoseTraining', 'model.network', ('stride', 'multiple', 'height', 'config'))
        self.stride, self.multiple, self.height = self.net_h.stride, self.net_h.multiple, self.net_h.height
        cells = SIDE * self.multiple // self.stride
        check_call(POSE_NETWORKS, self.net_h, 'PoseTraining', 'model.network', dict(images=(2, 3, *[SIDE * self.multiple] * 2)),
                   [(2, K + 1, cells, cells), (2, 2 * len(LIMBS), cells, cells)])
        self.sigma, self.limb_width, self.augmentation = sigma, limb_width, augmentation

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of the network; as in the base class.

        ``data`` may also be a batch of :class:`toolkit.datasets.unpaired.UnpairedClips`, whose two persons are one batch here;
        ``optim_wrapper`` has the key ``h``. ``h/empty`` are the summed squares that maps would have which show nobody.
        """
        domains = [self.data_preprocessor(data[name], True) for name in ('ab' if 'a' in data else ())] or \
            [self.data_preprocessor(data, True)]
        frames = torch.cat([domain['frames'].flatten(0, 1) for domain in domains])
        poses = torch.cat([domain['poses'].flatten(0, 1) for domain in domains])
        self._check_size(frames)
        if self.augmentation is not None:
            frames, poses = augment(frames, poses, self.shared_generator(), self._rows(domains), **self.augmentation)
        wanted = torch.cat(pose_fields(poses, tuple(frames.shape[-2:]), self.stride, self.sigma, self.limb_width), 1)
        with optim_wrapper['h'].optim_context(self.net_h):
            given = torch.cat(self.net_h(frames), 1)
        losses = self.weighted(self.losses.compute('maps', dict(fake=given, real=wanted)))
        self.step(optim_wrapper, 'h', sum(losses.values()))
        nobody = torch.zeros_like(wanted[:1])
        nobody[:, K] = 1
        return {**{f'h/{k}': v.detach() for k, v in losses.items()}, 'h/empty': ((nobody - wanted)**2).sum(1).mean()}

    def _rows(self, domains: list[dict]) -> tuple[Tensor, int]:
        """Where the frames of a preprocessed batch are among those of all processes, and how many these are."""
        samples, frames = domains[0]['frames'].shape[:2]
        rows = self.rows(samples, frames, len(domains))
        return rows, len(rows) * get_world_size()

    def baselines(self) -> dict[str, dict]:
        """As in the base class: none, as it paints nothing."""
        return {}

    def check_data(self, dataset: Dataset) -> None:
        """As in the base class: the frames of two persons become one batch. Says where the network would remember another height than
        that of its frames, to which it resizes as pose estimator."""
        check_one_size(dataset, 'PoseTraining puts the frames of both persons into one batch')
        height = (getattr(dataset, 'size', None) or [self.height])[0]
        if height != self.height:
            print_log(f'frames are {height} pixels high, but model.network.height={self.height}: frames of that height are what the '
                      f'network will later be given, where people have another size than it learned. Set model.network.height={height}',
                      'current', logging.WARNING)

    def _check_size(self, frames: Tensor) -> None:
        if any(side % self.multiple for side in frames.shape[-2:]):
            raise InputError(f'frames are {tuple(frames.shape[-2:])}, expected sides that are multiples of {self.multiple}: set size '
                             f'of the dataset')

    @torch.no_grad()
    def test_step(self, data: Mapping) -> list[dict]:
        """Find the joints of one clip, each at the highest peak of its map.

        ``data`` is an item of :class:`toolkit.datasets.directed.DirectedClips` or a clip of ``ClipWindows``. The result is that of
        :func:`toolkit.models.transfer.transfer_result`; ``generated`` are the frames themselves, and ``detected`` (T, 18, 3) float32
        what was found in them.
        """
        frames = self.data_preprocessor({'frames': data['frames']})['frames'][0]
        self._check_size(frames)
        heat = []
        for part in frames.split(CHUNK):
            with self.inference_context():
                heat.append(self.net_h(part)[0][:, :K].cpu().numpy())
        detected = np.stack([highest_peaks(maps, self.stride) for maps in np.concatenate(heat)])
        own = {key: value for key, value in data.items() if not key.startswith('truth_')}
        result = transfer_result(own, self.data_preprocessor.to_uint8(frames).numpy())
        return [dict(result, detected=detected)]


def highest_peaks(heat: np.ndarray, stride: int) -> np.ndarray:
    """The place of the maximum of each heatmap.

    Args:
        heat: (18, h, w).
        stride: pixels of a cell.

    Returns:
        (18, 3) float32, x and y in pixels and the maximum, not below 0.
    """
    pose = np.zeros((len(heat), 3), np.float32)
    for joint, there in enumerate(heat):
        y, x = np.unravel_index(there.argmax(), there.shape)
        pose[joint, :2] = cell_to_pixel(np.array(refine_peak(there, int(x), int(y))), stride)
        pose[joint, 2] = max(there[y, x], 0)
    return pose
