"""What several test files use."""

import json

import numpy as np
import torch
from mmengine.optim import OptimWrapper, OptimWrapperDict


def count(module):
    """Number of parameters."""
    return sum(p.numel() for p in module.parameters())


def pose_of(points, missing=()):
    """(18, 3) float32 of points (18, 2), all of which but ``missing`` are there."""
    pose = np.concatenate([points, np.ones((18, 1))], 1).astype(np.float32)
    pose[list(missing)] = 0
    return pose


def adams(model, lr=1e-3, **networks):
    """One Adam each for net_g and net_d, or for the networks that are named."""
    networks = dict(g=('net_g',), d=('net_d',)) | networks
    return OptimWrapperDict(**{
        name: OptimWrapper(torch.optim.Adam([p for of in names for p in getattr(model, of).parameters()], lr))
        for name, names in networks.items()})


def child_config(tmp_path, toy, text):
    """A config file that stands on the toy's."""
    path = tmp_path / 'child.py'
    path.write_text(f'_base_ = {str(toy.config)!r}\n{text}\n')
    return path


def scalars(work_dir):
    """What a run logged, line by line, without times."""
    file, = work_dir.glob('*/vis_data/scalars.json')
    return [{k: v for k, v in json.loads(line).items() if k not in ('time', 'data_time')} for line in file.read_text().splitlines()]
