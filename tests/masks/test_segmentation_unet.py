"""The segmentor that holds a trained network; what it learns is tested with the losses."""

import numpy as np
import pytest
import torch

from toolkit.masks.segmentation_unet import SegmentationUNet, TrainedSegmentor
from toolkit.structures import InputError


def test_it_takes_frames_of_any_size_and_of_bytes_alone(tmp_path):
    network = SegmentationUNet(widths=(2, 4, 4))
    torch.save(dict(state_dict={f'net_s.{key}': value for key, value in network.state_dict().items()}), tmp_path / 'iter_1.pth')
    segmentor = TrainedSegmentor(tmp_path / 'iter_1.pth')
    frames = np.random.default_rng(0).integers(0, 256, (3, 37, 29, 3), np.uint8)
    masks = segmentor(frames)
    assert masks.shape == (3, 37, 29) and masks.dtype == np.float32 and 0 <= masks.min() <= masks.max() <= 1
    with pytest.raises(InputError, match='uint8 RGB, got float32'):
        segmentor(frames / np.float32(255))
