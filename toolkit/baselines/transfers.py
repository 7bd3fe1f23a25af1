"""Baselines of a transfer from one person to another: each is perfect in one thing and bad in another."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from toolkit.baselines.actions import Baseline, check_shown, pose_distance
from toolkit.models.transfer import transfer_baselines, transfer_result
from toolkit.registry import MODELS
from toolkit.structures import InputError


class TransferBaseline(Baseline):
    """Base of these baselines.

    Args:
        domains: 'a' and 'b' -> training frames (H, W, 3) uint8 of the person, each with its pose (K, 3), see
            :class:`toolkit.datasets.domain_frames.DomainFrames`.
        kwargs: of :class:`toolkit.models.base.VideoModel`.
    """

    def __init__(self, domains: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]] | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        self.domains = domains or {}

    def test_step(self, data: dict) -> list[dict]:
        """Answer a clip, see :func:`toolkit.models.transfer.transfer_result`."""
        return [transfer_result(data, self.answer(data))]

    def baselines(self) -> dict[str, dict]:
        """As in the base class: those of a transfer."""
        return transfer_baselines()

    @abstractmethod
    def answer(self, data: dict) -> np.ndarray:
        """(T, H, W, 3) uint8."""

    def target_frames(self, data: dict) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """The target person's training frames.

        Raises:
            InputError: there are none, or they have another size than those of the clip.
        """
        name = data['direction'][0][1] if 'direction' in data else 'b'
        if not self.domains.get(name):
            raise InputError(f'{type(self).__name__} has no training frame of person {name.upper()} to show')
        check_shown(data, self.domains[name][0][0], f' of person {name.upper()}, which {type(self).__name__} shows,',
                    'set data.size=(H, W) for both persons, training and test (and pixels=None of a and b where they have it)')
        return self.domains[name]


@MODELS.register_module()
class CopyInput(TransferBaseline):
    """Baseline: the input as it is. Perfect movement, the wrong person."""

    def answer(self, data: dict) -> np.ndarray:
        """(T, H, W, 3) uint8."""
        return data['frames'][0].movedim(1, -1).cpu().numpy()


@MODELS.register_module()
class CopyTargetFrame(TransferBaseline):
    """Baseline: one training frame of the target person, again and again. The right person, no movement."""

    def answer(self, data: dict) -> np.ndarray:
        """(T, H, W, 3) uint8."""
        frames = self.target_frames(data)
        return np.repeat(frames[len(frames) // 2][0][None], data['frames'].shape[1], 0)


@MODELS.register_module()
class NearestTargetFrame(TransferBaseline):
    """Baseline: for each pose of the input the target person's training frame of the nearest pose. The right person, old movements."""

    def answer(self, data: dict) -> np.ndarray:
        """(T, H, W, 3) uint8."""
        frames = self.target_frames(data)
        nearest = [int(pose_distance(frames.poses, pose).argmin()) for pose in data['poses'][0].cpu().numpy()]
        return np.stack([frames[i][0] for i in nearest])
