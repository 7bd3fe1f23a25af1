"""Plain baselines that need no training: what every method must beat on the same clips with the same metrics."""

from collections.abc import Iterable, Iterator
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.optim import OptimWrapperDict
from torch import Tensor

from toolkit.models.base import VideoModel
from toolkit.registry import MODELS, WARPERS
from toolkit.structures import InputError


def person_removed(frame: np.ndarray, mask: np.ndarray, dilation: int = 7, radius: int = 5) -> np.ndarray:
    """The frame with the person painted over from around (Telea 2004).

    Args:
        frame: (H, W, 3) uint8 RGB.
        mask: (H, W) bool, the person.
        dilation: pixels by which the mask is grown first, for hair and soft borders.
        radius: neighborhood of the inpainting, in pixels.

    Returns:
        (H, W, 3) uint8 RGB, unchanged outside the grown mask.
    """
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * dilation + 1, 2 * dilation + 1))
    return cv2.inpaint(np.ascontiguousarray(frame), cv2.dilate(mask.astype(np.uint8), disc), radius, cv2.INPAINT_TELEA)


class Baseline(VideoModel):
    """A model without networks: it can be tested like any other and not trained.

    Args:
        kwargs: of :class:`toolkit.models.base.VideoModel`.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(losses={}, **kwargs)

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """There is nothing to train.

        Raises:
            InputError: always.
        """
        raise InputError(f'{type(self).__name__} is a baseline without parameters: test it, there is nothing to train')


@MODELS.register_module()
class CopyContent(Baseline):
    """Baseline: the content frame, again and again. Perfect background, right clothes, no action."""

    def test_step(self, data: dict) -> list[dict]:
        """Repeat the content frame over a clip."""
        content = data['content_frame'][0].permute(1, 2, 0).cpu().numpy()
        return [self.clip_result(data, np.repeat(content[None], data['frames'].shape[1], 0))]


@MODELS.register_module()
class PasteParts(Baseline):
    """Baseline: the content person's own parts, carried to each pose, pasted on the content frame with the person painted over.

    What a method gets without any network that paints: right clothes, right pose as far as affine parts go, cracks at bent joints and
    no new surface where the person turns. Pixels covered by half or more are opaque, so that two parts that share a border leave no
    seam.

    Args:
        warper: config of a ``WARPERS`` part.
        chunk: frames warped at a time.
        kwargs: of :class:`toolkit.models.base.VideoModel`.
    """

    def __init__(self, warper: dict | None = None, chunk: int = 16, **kwargs) -> None:
        super().__init__(**kwargs)
        self.warper = WARPERS.build(warper or {'type': 'PartAffineWarper'})
        self.chunk = chunk

    def test_step(self, data: dict) -> list[dict]:
        """Paste a whole clip."""
        return list(self.test_stream([data]))

    @torch.no_grad()
    def test_stream(self, parts: Iterable[dict]) -> Iterator[dict]:
        """Paste a clip that comes in parts, see :meth:`toolkit.models.base.VideoModel.test_stream`; its content is prepared once."""
        background = None
        for data in parts:
            if background is None:
                content, mask = data['content_frame'][0], data['content_mask'][0, 0].cpu().numpy() >= 128
                background = person_removed(content.permute(1, 2, 0).cpu().numpy(), mask)
                background = torch.from_numpy(background).permute(2, 0, 1).to(self.device, torch.float32)
                source = [x.to(self.device) for x in (content[None].float(), data['content_pose'], data['content_parts'][:, 0])]
                prepared = [self.warper.prepare(*source[1:])] if hasattr(self.warper, 'prepare') else []
            yield self.clip_result(data, self._paste(data['poses'][0].to(self.device), source, prepared, background))

    def _paste(self, poses: Tensor, source: list[Tensor], prepared: list, background: Tensor) -> np.ndarray:
        frames = []
        for start in range(0, len(poses), self.chunk):
            targets = poses[start:start + self.chunk]
            picture, pose, labels = (x.expand(len(targets), *x.shape[1:]) for x in source)
            warp = self.warper(picture, pose, targets, labels, *prepared)
            opaque = (2 * warp.coverage).clamp(max=1)
            colors = warp.maps / warp.coverage.clamp(min=1e-6)
            frames.append((opaque * colors + (1 - opaque) * background).clamp(0, 255).round().to(torch.uint8))
        return torch.cat(frames).permute(0, 2, 3, 1).cpu().numpy()

    @property
    def device(self) -> torch.device:
        """Where the data preprocessor puts data."""
        return self.data_preprocessor.device


def check_shown(data: dict, frame: np.ndarray, shown: str, cure: str) -> None:
    """Refuse training frames of another size than those of the tested clip.

    Args:
        data: an item of the test with a batch axis of 1.
        frame: (H, W, 3), one of the training frames.
        shown: whose they are, and who shows them, behind 'the training frames'.
        cure: how both get one size.

    Raises:
        InputError: names both sizes.
    """
    (h, w), (own_h, own_w) = data['frames'].shape[-2:], frame.shape[:2]
    if (h, w) != (own_h, own_w):
        raise InputError(f'{data["clip"][0]} is tested at {h}x{w} (HxW), but the training frames{shown} are {own_h}x{own_w}: '
                         f'{cure}, or leave --baselines out')


def pose_distance(poses: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Mean distance in pixels of the joints that poses (N, K, 3) share with a target (K, 3): (N,), infinite where they share none."""
    shared = (poses[..., 2] > 0) & (target[:, 2] > 0)
    distances = np.linalg.norm(poses[..., :2] - target[:, :2], axis=-1)
    count = shared.sum(-1)
    return np.where(count, (distances * shared).sum(-1) / np.maximum(count, 1), np.inf)


@MODELS.register_module()
class NearestFrame(Baseline):
    """Baseline: for each pose, the nearest training frame of the same person. Real pictures, but only old ones.

    Args:
        examples: a :class:`toolkit.datasets.windows.ClipWindows` of the training frames.
        kwargs: of :class:`toolkit.models.base.VideoModel`.
    """

    def __init__(self, examples: Any, **kwargs) -> None:
        super().__init__(**kwargs)
        self.examples = examples

    def test_step(self, data: dict) -> list[dict]:
        """Answer each pose of a clip by a training frame.

        Raises:
            InputError: no training frame of this person, or they have another size than those of the clip.
        """
        person = data['person'][0]
        places, poses = self.examples.poses(person)
        if not places:
            raise InputError(f'clip {data["clip"][0]}: no training frame of {person!r}, so NearestFrame has nothing to show')
        check_shown(data, self.examples.frame(*places[0]), f' that {type(self).__name__} shows',
                    'set data.size=(H, W) for training and test (and data.pixels=None where it is set)')
        nearest = [int(pose_distance(poses, target).argmin()) for target in data['poses'][0].cpu().numpy()]
        return [self.clip_result(data, np.stack([self.examples.frame(*places[i]) for i in nearest]))]
