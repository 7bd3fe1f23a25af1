"""pix2pix and pix2pixHD frame by frame: sizes as published, who learns, what the feature encoder carries from the content frame."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.models.baseline_parts import batch_of, build, optimizers, parameters, step, whole_clip
from toolkit.engine.launch import load_config
from toolkit.model_parts.part_pooling import LABELS, body_parts, pool, spread
from toolkit.registry import MODELS
from toolkit.structures import InputError

CONFIGS = Path(__file__).resolve().parents[2] / 'configs' / 'baselines'
GENERATOR = dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1)
OPTIONS = dict(
    generator=GENERATOR, discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=2),
    losses=dict(gan=dict(type='GANLoss'), fm=dict(type='FeatureMatchingLoss', weight=10.0), l1=dict(type='L1Loss', weight=5.0)))
ENCODER = dict(type='GlobalGenerator', ngf=4, n_down=1, n_blocks=0)


def published(name):
    with torch.device('meta'):
        model = load_config(CONFIGS / f'{name}.py').model.to_dict()
        model['losses']['perceptual']['weight'] = 0
        return MODELS.build(model)


def test_networks_have_the_published_sizes():
    model = published('pix2pixhd_features')
    assert parameters(model.net_d) == 8_303_427
    assert parameters(model.net_g) == 182_443_267 + 3 * 49 * 64
    assert parameters(model.net_e) == 788_803
    assert parameters(published('pix2pixhd').net_g) == 182_443_267
    assert parameters(published('pix2pix').net_d) == 2_764_737 + 3 * 16 * 64


@pytest.mark.parametrize('options, networks', [
    ({}, {'net_g', 'net_d'}), (dict(encoder=ENCODER), {'net_g', 'net_e', 'net_d'})])
def test_every_network_learns_and_the_losses_are_logged(clips, options, networks):
    model = build('Pix2Pix', **OPTIONS, **options)
    wrappers = optimizers(model, g=sorted(networks - {'net_d'}), d=['net_d'])
    logs, changed = step(model, batch_of(clips, model), wrappers)
    assert set(logs) == {'g/gan', 'g/fm', 'g/l1', 'd/fake', 'd/real'} and changed == networks


def test_each_frame_is_painted_by_itself(clips):
    model = build('Pix2Pix', **OPTIONS).eval()
    data = whole_clip(clips, model)
    generated = model.test_step(data)[0]['generated']
    last = {key: value[:, -1:] if key in ('frames', 'pose_maps', 'poses', 'regions', 'masks', 'edges') else value
            for key, value in data.items()}
    np.testing.assert_array_equal(model.test_step(last)[0]['generated'][0], generated[-1])


def test_the_encoder_carries_what_the_content_frame_shows(clips):
    model = build('Pix2Pix', **OPTIONS, encoder=ENCODER).eval()
    data = whole_clip(clips, model)
    before = model.test_step(data)[0]['generated']
    data['content_frame'] = 255 - data['content_frame']
    assert (before != model.test_step(data)[0]['generated']).any()
    model = build('Pix2Pix', **OPTIONS).eval()
    np.testing.assert_array_equal(model.test_step(data)[0]['generated'], model.test_step(whole_clip(clips, model))[0]['generated'])


def test_means_of_parts(clips):
    labels = torch.from_numpy(body_parts(clips[0].poses[:2], (96, 64)))[:, None]
    assert labels.shape == (2, 1, 96, 64) and set(labels.unique().tolist()) == set(range(LABELS))
    maps = torch.randn(2, 3, 96, 64)
    means = pool(maps, labels)
    torch.testing.assert_close(means[1, 4], maps[1][:, labels[1, 0] == 4].mean(1))
    torch.testing.assert_close(pool(spread(means, labels), labels), means)
    assert not pool(maps, torch.zeros_like(labels))[:, 1:].any()
    with torch.autocast('cpu', torch.bfloat16):
        torch.testing.assert_close(pool(maps, labels), means)


def test_without_losses_there_is_nothing_to_learn_from():
    with pytest.raises(InputError, match='nothing to learn from'):
        build('Pix2Pix', **dict(OPTIONS, losses=dict(gan=dict(type='GANLoss', weight=0))))
