"""The config inside a checkpoint may be anybody's: what it asks for is measured by the file before memory is taken."""

import time

import pytest
import torch

from toolkit import apis
from toolkit.registry import MODELS
from toolkit.structures import InputError


@pytest.fixture(scope='module')
def content():
    model = dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=4, n_layers=1, num_scales=1), losses=dict(gan=dict(type='GANLoss')))
    dataset = dict(type='ClipWindows', root='clips', size=(64, 64))
    config = dict(model=model, train_dataloader=dict(dataset=dataset))
    return dict(state_dict=MODELS.build(model).state_dict(), meta=dict(config=config))


def saved(content, path, key, value):
    """The checkpoint with another value in its config."""
    content = dict(content, meta=dict(config=_changed(content['meta']['config'], key.split('.'), value)))
    torch.save(content, path)
    return path


def _changed(node, keys, value):
    return value if not keys else dict(node, **{keys[0]: _changed(node.get(keys[0], {}), keys[1:], value)})


def test_the_right_one_loads(content, tmp_path):
    trained = apis.load(saved(content, tmp_path / 'a.pth', 'model.ema', 0.9), 'cpu')
    assert trained.size == (64, 64) and all(torch.isfinite(p).all() for p in trained.model.parameters())


@pytest.mark.parametrize('key, value, message', [
    ('model.generator.n_blocks', 10**6, 'far more parameters than the file'),
    ('model.generator.ngf', 3000, 'far more parameters than the file'),
    ('model.discriminator.num_scales', 10**30, 'far more parameters|cannot be built'),
    ('model.generator.ngf', 5, 'does not fit'),
    ('model.generator.ngf', 'many', "model.generator.ngf='many': expected a whole number"),
    ('model.feature_maps', dict(edge_chanel='real'), "Did you mean 'edge_channel'"),
    ('model.generator.type', 'os.system', 'dotted path'),
    ('model', dict(type='Nobody'), 'Nobody'),
    ('custom_imports', 5, 'names of modules'),
    ('custom_imports', dict(imports=[dict(a=1)]), 'names of modules'),
    ('train_dataloader.dataset.size', (16384, 16384), 'trained on frames of'),
    ('train_dataloader.dataset.size', 'large', 'trained on frames of'),
])
def test_configs_that_cannot_be(content, tmp_path, key, value, message):
    start = time.monotonic()
    with pytest.raises(InputError, match=message):
        apis.load(saved(content, tmp_path / 'a.pth', key, value), 'cpu')
    assert time.monotonic() - start < 20
