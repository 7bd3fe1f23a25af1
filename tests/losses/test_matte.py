"""The loss of mattes: its values, and that a generator that blends learns from it."""

import pytest
import torch
import torch.nn.functional as F

from tests.helpers import adams
from toolkit.losses.matte import MatteLoss
from toolkit.registry import MODELS
from toolkit.structures import InputError


def test_its_values_are_those_of_torch():
    mattes, masks = torch.rand(2, 2, 1, 6, 5)
    torch.testing.assert_close(MatteLoss()(mattes, masks), F.l1_loss(mattes, masks))
    torch.testing.assert_close(MatteLoss('bce')(mattes, masks), F.binary_cross_entropy(mattes, masks))
    assert MatteLoss('bce')(torch.zeros(1, 1, 2, 2), torch.ones(1, 1, 2, 2)).isfinite()
    with pytest.raises(InputError, match='kind='):
        MatteLoss('l2')


def build(generator, **feature_maps):
    torch.manual_seed(0)
    return MODELS.build(dict(
        type='VideoPix2PixHD', generator=generator, feature_maps=feature_maps,
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, num_scales=1), losses=dict(matte=dict(type='MatteLoss', kind='bce'))))


def test_the_matte_comes_to_lie_where_the_person_is():
    body = dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1)
    model = build(dict(type='BlendGenerator', generator=body), references=1, plate=True)
    batch, wrappers = model.example_batch(64, 48), adams(model, lr=2e-3)
    for key in ('masks', 'pose_maps'):  # more of the person than the reference shows
        batch[key][..., 16:60, :] = 255
    logs = [model.train_step(batch, wrappers) for _ in range(20)]
    assert set(logs[0]) == {'g/matte'} and logs[-1]['g/matte'] < .1 * logs[0]['g/matte']
    assert model.test_step(batch)[0]['generated'].shape == (2, 64, 48, 3)
    with pytest.raises(InputError, match='take a BlendGenerator'):
        build(body)
