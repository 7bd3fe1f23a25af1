"""Choice of the instance, weights and errors of the torchvision segmentor."""

from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision.models import detection

from toolkit.masks.torchvision_segmentor import TorchvisionSegmentor, choose_instance
from toolkit.structures import InputError, MissingWeightsError


def instances():
    masks = torch.zeros(3, 1, 20, 20)
    masks[0, 0, 2:8, 2:8] = 1
    masks[1, 0, 2:20, 10:18] = 1
    masks[2, 0] = 1
    return dict(labels=torch.tensor([1, 1, 3]), scores=torch.tensor([0.9, 0.8, 0.99]), masks=masks)


def test_chooses_the_person_of_the_pose_else_the_most_prominent():
    pose = np.zeros((18, 3), np.float32)
    pose[:4] = [(3, 3, 1), (5, 5, 1), (7, 6, 1), (500, -3, 1)]
    assert choose_instance(instances(), pose, 0.5) == 0
    assert choose_instance(instances(), None, 0.5) == 1
    assert choose_instance(instances(), np.zeros((18, 3)), 0.5) == 1
    assert choose_instance(instances(), None, 0.85) == 0
    assert choose_instance(instances(), None, 0.95) is None


class Stub(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(2))

    def forward(self, images):
        return [instances() for _ in images]


def test_masks_from_a_weights_file(monkeypatch, tmp_path):
    monkeypatch.setattr(detection, 'maskrcnn_resnet50_fpn', lambda weights, weights_backbone: Stub())
    torch.save({'weight': torch.ones(2)}, tmp_path / 'mask.pth')
    segmentor = TorchvisionSegmentor(weights=str(tmp_path / 'mask.pth'), device='cpu')
    assert segmentor.network.weight.tolist() == [1, 1] and not segmentor.network.weight.requires_grad
    masks = segmentor(np.zeros((2, 20, 20, 3), np.uint8), None)
    assert masks.dtype == np.float32 and np.array_equal(masks[1], instances()['masks'][1, 0].numpy())
    with pytest.raises(InputError, match='2 frames but 1 poses'):
        segmentor(np.zeros((2, 20, 20, 3), np.uint8), np.zeros((1, 18, 3)))
    with pytest.raises(InputError, match='uint8 RGB, got float64'):
        segmentor(np.zeros((2, 20, 20, 3)), None)
    torch.save({'bias': torch.ones(2)}, tmp_path / 'other.pth')
    with pytest.raises(InputError, match='other.pth does not hold'):
        TorchvisionSegmentor(weights=str(tmp_path / 'other.pth'))


def test_offline_and_wrong_options_are_named(monkeypatch):
    def offline(**options):
        raise URLError('no network')

    monkeypatch.setattr(detection, 'maskrcnn_resnet50_fpn', offline)
    with pytest.raises(MissingWeightsError, match='could not be downloaded'):
        TorchvisionSegmentor()
    with pytest.raises(InputError, match='network'):
        TorchvisionSegmentor('unet')
