"""A small made-up clip result, as a model's test_step returns it."""

import numpy as np
import pytest


@pytest.fixture
def make_sample():
    """Factory: textured frames with a moving box as the person; ``generated`` equals ``real`` unless changed."""

    def make(frames=4, height=48, width=40, clip='clip', seed=0):
        rng = np.random.default_rng(seed)
        real = np.repeat(rng.integers(40, 200, (1, height, width, 3)).astype(np.uint8), frames, 0)
        mask = np.zeros((frames, height, width), bool)
        for t in range(frames):
            mask[t, 10:30, 8 + 2 * t:20 + 2 * t] = True
            real[t][mask[t]] = rng.integers(0, 255, 3)
        poses = np.zeros((frames, 18, 3), np.float32)
        poses[..., 0] = np.linspace(9, 19, 18)
        poses[..., 1] = np.linspace(11, 29, 18)
        poses[..., 2] = 1
        return {'clip': clip, 'generated': real.copy(), 'real': real, 'pose_maps': np.zeros_like(real), 'mask': mask, 'poses': poses,
                'person': 'actor', 'fps': 25.0, 'scored': np.arange(frames) > 0}

    return make
