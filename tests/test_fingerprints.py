"""A part's fingerprint follows what it read."""

import json

import torch
from torch import nn

from toolkit.edges.soft_canny import SoftCanny
from toolkit.fingerprints import part_fingerprint
from toolkit.poses.keypoint_files import KeypointFiles
from toolkit.preparing.settings import part_record


def test_weights_are_in_the_record():
    class Detector:
        version = '3'

        def __init__(self, network):
            self.network = network

    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1).to(torch.bfloat16))
    before = part_record(Detector(network))
    assert before == part_record(Detector(network)) and len(before['fingerprint']) == 16
    assert part_fingerprint(network) == before['fingerprint']
    network[0].weight.data[0, 0] += .1
    assert part_record(Detector(network)) != before


def test_parts_that_read_nothing_have_none():
    assert 'fingerprint' not in part_record(SoftCanny())


def test_files_of_keypoints(tmp_path):
    for t in (1, 2):
        (tmp_path / f'{t}.json').write_text(json.dumps(dict(people=[])))
    first = KeypointFiles(tmp_path).fingerprint
    assert KeypointFiles(tmp_path).fingerprint == first
    (tmp_path / '1.json').write_text(json.dumps(dict(people=[], version=2)))
    changed = KeypointFiles(tmp_path).fingerprint
    (tmp_path / '3.json').write_text((tmp_path / '2.json').read_text())
    assert len({first, changed, KeypointFiles(tmp_path).fingerprint}) == 3
