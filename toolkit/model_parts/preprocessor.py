"""From what a dataset yields (uint8 maps, on the CPU) to what networks take (float, on the device), and back."""

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from toolkit.fields import Batch, kind_of
from toolkit.registry import MODELS


@MODELS.register_module()
class VideoPreprocessor(BaseDataPreprocessor):
    """Move a batch to the model's device, without waiting for it, and map uint8 to float.

    The kind of each key's field decides, see :mod:`toolkit.fields`: pictures become [-1, 1] and maps [0, 1]; a uint8 tensor that no
    field describes counts as a map; anything else passes unchanged. :meth:`to_uint8` is the inverse for pictures.
    """

    def __init__(self, non_blocking: bool = True) -> None:
        super().__init__(non_blocking)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Convert a collated batch.

        Args:
            data: what :class:`toolkit.datasets.windows.ClipWindows` yields, collated.
            training: unused, part of MMEngine's interface.

        Returns:
            The same keys; see the class. A key that is not there is an :class:`toolkit.structures.InputError` when it is asked for.
        """
        out = Batch()
        for key, value in self.cast_data(data).items():
            if isinstance(value, Tensor) and value.dtype == torch.uint8 and (kind := kind_of(key)) in (None, 'picture', 'map'):
                value = value.float() / 127.5 - 1 if kind == 'picture' else value.float() / 255
            out[key] = value
        return out

    @staticmethod
    def to_uint8(images: Tensor) -> Tensor:
        """Pictures (..., 3, H, W) in [-1, 1] to (..., H, W, 3) uint8 on the CPU, rounded."""
        return ((images.detach().float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).movedim(-3, -1).cpu()
