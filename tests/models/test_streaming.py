"""A clip that comes in parts is generated as the whole is, also by models that go on from the frames before."""

import numpy as np
import pytest
import torch

from tests.models.cycle_gan_parts import build as build_cycle_gan
from toolkit.registry import MODELS

H, W, FRAMES = 32, 32, 7


def clip_of(model, extra=()):
    """A random clip of seven frames."""
    torch.manual_seed(0)
    batch = model.example_batch(H, W, FRAMES)
    batch = batch.get('a', batch)
    made = {k: torch.randint(0, 255, v.shape, dtype=torch.uint8) if torch.is_tensor(v) and v.dtype == torch.uint8 else v
            for k, v in {**MODELS.build(dict(type='CopyContent')).example_batch(H, W, FRAMES), **batch}.items()}
    return dict(made, content_parts=made['content_parts'] % 11, **dict(extra))


def parts_of(data, lengths=(3, 1, 3)):
    start = 0
    for length in lengths:
        keys = ('frames', 'poses', 'pose_maps', 'edges', 'masks', 'regions')
        yield {k: v[:, start:start + length] if k in keys else v for k, v in data.items()}
        start += length


def video_model():
    return MODELS.build(dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=4, num_scales=1), losses=dict(gan=dict(type='GANLoss'))))


@pytest.mark.parametrize('make', [
    video_model, lambda: build_cycle_gan(window=3, previous_frames=2), lambda: MODELS.build(dict(type='PasteParts')),
    lambda: MODELS.build(dict(type='CopyContent')), lambda: MODELS.build(dict(type='CopyInput'))],
    ids=['VideoPix2PixHD', 'CycleGAN', 'PasteParts', 'CopyContent', 'CopyInput'])
def test_parts_are_generated_as_the_whole(make):
    torch.manual_seed(0)
    model = make().eval()
    data = clip_of(model)
    whole, = model.test_step(data)
    asked = []
    stream = model.test_stream(asked.append(len(asked)) or part for part in parts_of(data))
    results = []
    for number in range(3):
        results.append(next(stream))
        assert len(asked) == number + 1, 'a part is answered before the next one is asked for'
    assert next(stream, None) is None
    for key in ('generated', 'real', 'pose_maps', 'mask', 'poses'):
        np.testing.assert_array_equal(np.concatenate([result[key] for result in results]), whole[key])
    assert whole['generated'].std() > 0 and all(result['clip'] == whole['clip'] for result in results)


def test_no_part_gives_no_result():
    assert list(video_model().test_stream([])) == []
