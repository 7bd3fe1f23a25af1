"""Optical flow without a network: what vid2vid's predicted flow is compared with. Source: Kroeger et al. 2016, DIS."""

import cv2
import numpy as np
import torch
from torch import Tensor

from toolkit.structures import InputError

SMALLEST = 16


def flow_between(frames: np.ndarray, stride: int = 1) -> np.ndarray:
    """Flow from each frame to the one ``stride`` before it.

    Args:
        frames: (T, H, W, 3) uint8 RGB, sides of at least 16 pixels.
        stride: in frames.

    Returns:
        (T, H, W, 2) float32, x and y in pixels: pixel p of a frame was at ``p + flow(p)``; 0 for the first ``stride`` frames.

    Raises:
        InputError: smaller frames.
    """
    if min(frames.shape[1:3]) < SMALLEST:
        raise InputError(f'frames are {frames.shape[1]}x{frames.shape[2]}, optical flow needs {SMALLEST} pixels a side at least')
    gray = [cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY) for frame in frames]
    flow = np.zeros((*frames.shape[:3], 2), np.float32)
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for t in range(stride, len(gray)):
        flow[t] = dis.calc(gray[t], gray[t - stride], None)
    return flow


def batch_flow(frames: Tensor, stride: int, device: torch.device | str) -> Tensor:
    """As :func:`flow_between`, of a batch.

    Args:
        frames: (B, T, 3, H, W) uint8.
        stride: in frames.
        device: where the result goes.

    Returns:
        (B, T, 2, H, W).
    """
    found = [flow_between(clip.movedim(1, -1).cpu().numpy(), stride) for clip in frames]
    return torch.from_numpy(np.stack(found)).movedim(-1, 2).to(device)
