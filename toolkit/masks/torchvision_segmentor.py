"""Person masks from torchvision's instance segmentation networks."""

from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor

from toolkit.edges.soft_canny import check_frames
from toolkit.network_files import read_state
from toolkit.registry import SEGMENTORS
from toolkit.structures import InputError, MissingWeightsError, find_weights

PERSON = 1
"""Label of a person among the COCO classes."""
NETWORKS = ('maskrcnn_resnet50_fpn', 'maskrcnn_resnet50_fpn_v2')


@SEGMENTORS.register_module()
class TorchvisionSegmentor:
    """Mask R-CNN of torchvision; the instance that fits the pose best, or the most prominent one.

    Args:
        network: one of :data:`NETWORKS`.
        weights: file name or path of a state dict (published COCO weights), searched in the weight folders; None = torchvision's own,
            downloaded on first use into torch's cache.
        min_score: least detection score of an instance.
        device: 'cpu', 'cuda', or None for a GPU where there is one.

    Raises:
        InputError: unknown network, or weights that do not fit it.
        MissingWeightsError: the file is not found, or the download failed.
    """

    name = 'TorchvisionSegmentor'

    def __init__(self, network: str = 'maskrcnn_resnet50_fpn', weights: str | None = None, min_score: float = 0.5,
                 device: str | None = None) -> None:
        if network not in NETWORKS:
            raise InputError(f'network={network!r} is unknown, expected one of {NETWORKS}')
        self.version = network
        self.min_score = min_score
        self.device = torch.device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
        self.network = self._build(network, weights).eval().requires_grad_(False).to(self.device)

    @staticmethod
    def _build(network: str, weights: str | None) -> torch.nn.Module:
        from torchvision.models import detection
        build = getattr(detection, network)
        if weights is None:
            try:
                return build(weights='COCO_V1', progress=False)
            except (URLError, OSError) as error:
                raise MissingWeightsError(
                    f'the weights of {network} could not be downloaded ({error}). Connect to the internet once, or download them '
                    'elsewhere and name the file: weights=<file>. PoseGrabCut is a segmentor that needs no weights.') from error
        path = find_weights(weights)
        state = read_state(path)
        model = build(weights=None, weights_backbone=None)
        try:
            model.load_state_dict(state)
        except (RuntimeError, TypeError) as error:
            raise InputError(f'{path} does not hold the weights of {network}: {str(error)[:300]}') from error
        return model

    @torch.inference_mode()
    def __call__(self, frames: np.ndarray, poses: np.ndarray | None) -> np.ndarray:
        """Masks (T, H, W) float32 in [0, 1] of one person, the most prominent one without poses; zeros where none is found.

        Raises:
            InputError: another number of poses than frames; frames of another shape or type.
        """
        check_frames(frames)
        if poses is not None and len(poses) != len(frames):
            raise InputError(f'got {len(frames)} frames but {len(poses)} poses: pass one pose for each frame, or None')
        masks = np.zeros(frames.shape[:3], np.float32)
        for t, frame in enumerate(frames):
            image = torch.from_numpy(np.ascontiguousarray(frame)).to(self.device).permute(2, 0, 1).float() / 255
            found = self.network([image])[0]
            chosen = choose_instance(found, None if poses is None else poses[t], self.min_score)
            if chosen is not None:
                masks[t] = found['masks'][chosen, 0].cpu().numpy()
        return masks


def choose_instance(found: dict[str, Tensor], pose: np.ndarray | None, min_score: float) -> int | None:
    """The person instance that covers most joints of the pose; without a pose, the one with the largest score x mask area.

    Args:
        found: labels (N,), scores (N,), masks (N, 1, H, W) in [0, 1].
        pose: (K, 3) or None.
        min_score: least detection score.

    Returns:
        Index of the instance, or None where there is no person.
    """
    people = ((found['labels'] == PERSON) & (found['scores'] >= min_score)).nonzero()[:, 0]
    if not len(people):
        return None
    masks, scores = found['masks'][people, 0], found['scores'][people]
    prominence = scores * masks.mean((1, 2))
    if pose is not None:
        height, width = masks.shape[1:]
        joints = torch.as_tensor(np.asarray(pose)[np.asarray(pose)[:, 2] > 0, :2], device=masks.device).round().long()
        inside = (joints[:, 0] >= 0) & (joints[:, 0] < width) & (joints[:, 1] >= 0) & (joints[:, 1] < height)
        x, y = joints[inside].unbind(1)
        prominence = prominence + (masks[:, y, x] > 0.5).sum(1)
    return int(people[prominence.argmax()])
