"""What edge detection networks share: frames in, batches through the network, edge maps out."""

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.edges.soft_canny import check_frames
from toolkit.structures import InputError


class NetworkEdgeDetector:
    """Base of edge detectors with a network.

    Args:
        network: images (B, 3, H, W) BGR in 0..255 -> fused edge logits (B, 1, H, W); frozen here.
        device: 'cpu', 'cuda', or None for a GPU where there is one.
        batch_size: frames per pass.

    Raises:
        InputError: batch_size below 1.
    """

    name = ''
    version = ''

    def __init__(self, network: nn.Module, device: str | None = None, batch_size: int = 4) -> None:
        if batch_size < 1:
            raise InputError(f'{type(self).__name__} needs batch_size of at least 1, got {batch_size}')
        self.device = torch.device(device or ('cuda' if torch.cuda.is_available() else 'cpu'))
        self.network = network.eval().requires_grad_(False).to(self.device)
        self.batch_size = batch_size

    def probability(self, images: Tensor) -> Tensor:
        """(B, 1, H, W) edge probability of images (B, 3, H, W) BGR in 0..255."""
        return self.network(images).sigmoid()

    @torch.inference_mode()
    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Edges (T, H, W) float32 in [0, 1] of frames (T, H, W, 3) uint8 RGB.

        Raises:
            InputError: frames of another shape or type.
        """
        check_frames(frames)
        out = np.zeros(frames.shape[:3], np.float32)
        for start in range(0, len(frames), self.batch_size):
            chunk = np.ascontiguousarray(frames[start:start + self.batch_size, :, :, ::-1])
            images = torch.from_numpy(chunk).to(self.device).permute(0, 3, 1, 2).float()
            out[start:start + self.batch_size] = self.probability(images)[:, 0].cpu().numpy()
        return out
