"""Training of a small segmentor on the masks of prepared clips, for losses that look through one."""

import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor
from torch.utils.data import Dataset

from toolkit.masks.segmentation_unet import CHUNK, SegmentationUNet
from toolkit.models.base import VideoModel
from toolkit.models.transfer import check_one_size, transfer_result
from toolkit.registry import MODELS


@MODELS.register_module()
class SegmentorTraining(VideoModel):
    """Learns where the person of a frame is. The result is a :class:`toolkit.masks.segmentation_unet.TrainedSegmentor`.

    Losses are offered ``maps``: ``fake``, logits, and ``real``, masks in [0, 1], (N, 1, H, W) each.

    Args:
        network: arguments of :class:`toolkit.masks.segmentation_unet.SegmentationUNet`.
        losses: see above; by default the cross entropy alone.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: no loss to learn from.
    """

    window = 1
    offers = dict(maps=('fake', 'real'))
    nested = dict(network=SegmentationUNet)

    def __init__(self, network: dict | None = None, losses: dict | None = None, **kwargs) -> None:
        super().__init__(losses=dict(ce=dict(type='MaskCrossEntropyLoss')) if losses is None else losses, **kwargs)
        self.losses.check_some()
        self.net_s = SegmentationUNet(**(network or {}))

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update.

        Args:
            data: a collated batch of :class:`toolkit.datasets.unpaired.UnpairedClips`, whose two persons are one batch here, or of
                :class:`toolkit.datasets.windows.ClipWindows`.
            optim_wrapper: with the key ``s``.

        Returns:
            Every weighted loss of ``s/...``, and ``s/wrong``, the share of pixels on the wrong side.
        """
        domains = [self.data_preprocessor(data[name], True) for name in ('ab' if 'a' in data else ())] or \
            [self.data_preprocessor(data, True)]
        frames, masks = (torch.cat([domain[key].flatten(0, 1) for domain in domains]) for key in ('frames', 'masks'))
        with optim_wrapper['s'].optim_context(self.net_s):
            logits = self.net_s(frames)
        losses = self.weighted(self.losses.compute('maps', dict(fake=logits, real=masks)))
        self.step(optim_wrapper, 's', sum(losses.values()))
        wrong = ((logits > 0) != (masks > 0.5)).float().mean()
        return {**{f's/{name}': value.detach() for name, value in losses.items()}, 's/wrong': wrong}

    def baselines(self) -> dict[str, dict]:
        """As in the base class: none, as it paints nothing."""
        return {}

    def check_data(self, dataset: Dataset) -> None:
        """As in the base class: the frames of two persons become one batch."""
        check_one_size(dataset, 'SegmentorTraining puts the frames of both persons into one batch')

    @torch.no_grad()
    def test_step(self, data: dict) -> list[dict]:
        """Find the person of one clip.

        Args:
            data: one item of :class:`toolkit.datasets.directed.DirectedClips` or a whole clip of ``ClipWindows`` with a batch axis
                of 1.

        Returns:
            See :func:`toolkit.models.transfer.transfer_result`; ``generated`` and ``real`` are masks, as gray pictures, and the clip's
            are the truth.
        """
        frames = self.data_preprocessor({'frames': data['frames']})['frames'][0]
        with self.inference_context():
            found = torch.cat([self.net_s(part).sigmoid() for part in frames.split(CHUNK)])
        own = {key: value for key, value in data.items() if not key.startswith('truth_')}
        pictures = self.data_preprocessor.to_uint8(2 * found.expand(-1, 3, -1, -1) - 1).numpy()
        result = transfer_result(own, pictures)
        return [dict(result, real=data['masks'][0].expand(-1, 3, -1, -1).movedim(1, -1).cpu().numpy(), has_truth=True)]
