"""How :class:`toolkit.models.video_pix2pixhd.VideoPix2PixHD` paints a video."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.models.painting import TwoStagePainter
from toolkit.structures import InputError


class Ready(NamedTuple):
    """F of a frame (1, 1, C, H, W) in [-1, 1], and where its code acts (1, 1, R, H, W) or None."""

    features: Tensor
    regions: Tensor | None


class VideoPainter(TwoStagePainter):
    """Paints the frames of one video, each from its feature map and the frame before.

    Feature maps need no frame before: they are made ahead.

    Args:
        model: in whose networks it paints.
        held: preprocessed entries that are the same for all frames.
        z: (1, D) or (T, D) codes of the clothes, or None for a model without.
    """

    def __init__(self, model: nn.Module, held: dict, z: Tensor | None) -> None:
        self.model, self.held, self.z = model, held, z
        self.net = model.net_g_ema if model.ema_decay is not None else model.net_g
        self.previous, self.count = None, 0

    @property
    def memory(self) -> tuple[Tensor | None, int]:
        """The frame before, as the network made it, and how many there were, see :class:`toolkit.models.painting.FramePainter`."""
        return self.previous, self.count

    @memory.setter
    def memory(self, memory: tuple[Tensor | None, int]) -> None:
        self.previous, self.count = memory

    @torch.no_grad()
    def ahead(self, frames: Sequence[dict]) -> list[Ready]:
        """As in the base class: F of frames."""
        batch = self.model.data_preprocessor({key: torch.cat([frame[key] for frame in frames], 1) for key in frames[0]})
        regions = batch.get('regions')
        with self.model.inference_context():
            features = 2 * self.model.feature_maps({**self.held, **batch}) - 1
        return [Ready(features[:, t:t + 1], None if regions is None else regions[:, t:t + 1]) for t in range(len(frames))]

    def _code(self) -> Tensor | None:
        """The code of the next frame, (1, D)."""
        if self.z is None or len(self.z) == 1:
            return self.z
        if len(self.z) <= self.count:
            raise InputError(f'{len(self.z)} color codes for more frames: give one for all, or one for each')
        return self.z[self.count:self.count + 1]

    @torch.no_grad()
    def paint(self, ready: Sequence[Ready], others: Sequence['VideoPainter'] = ()) -> list[np.ndarray]:
        """As in the base class.

        Raises:
            InputError: more frames than codes.
        """
        painters = self, *others
        before = [None if self.model.window == 1 else painter.previous for painter in painters]  # windows of one never showed one
        features, regions, code, before = (None if each[0] is None else torch.cat(each) for each in (
            [one.features for one in ready], [one.regions for one in ready], [painter._code() for painter in painters], before))
        with self.model.evaluating(self.net), self.model.inference_context():
            pictures = self.model.unroll(self.net, features, regions, code, before)[:, 0].float()
        for number, painter in enumerate(painters):
            painter.previous, painter.count = pictures[number:number + 1], painter.count + 1
        return list(self.model.data_preprocessor.to_uint8(pictures).numpy())
