"""CyCADA's semantic consistency: the formula, where gradients go, a segmentor that is trained on masks and looked through."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapper, OptimWrapperDict

from tests.models.baseline_parts import batch_of, build, whole_clip
from toolkit.losses.semantic import SemanticConsistencyLoss
from toolkit.masks.segmentation_unet import TrainedSegmentor
from toolkit.metrics.l1 import L1
from toolkit.structures import InputError, MissingWeightsError


@pytest.fixture(scope='module')
def trained(clips, tmp_path_factory):
    """A segmentor of two tiny clips: its model, and its checkpoint."""
    model = build('SegmentorTraining', network=dict(widths=(8, 16, 16)))
    wrappers = OptimWrapperDict(s=OptimWrapper(torch.optim.Adam(model.net_s.parameters(), 1e-2)))
    batch = batch_of(clips, model, window=1, size=4)
    logs = [model.train_step(batch, wrappers) for _ in range(60)]
    path = tmp_path_factory.mktemp('segmentor') / 'iter_0000060.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    return model.eval(), path, logs


def test_a_segmentor_learns_masks(clips, trained):
    model, path, logs = trained
    assert logs[-1]['s/ce'] < 0.5 * logs[0]['s/ce'] and logs[-1]['s/wrong'] < 0.08
    result = model.test_step(whole_clip(clips, model))[0]
    assert result['generated'].shape == result['real'].shape == (4, 96, 64, 3)
    error = L1(protocols=['full'], device='cpu').measure(result)['measures']['full']
    assert error['value'] == pytest.approx(np.abs(result['generated'].astype(int) - result['real']).mean()), 'its config measures this'
    frames = whole_clip(clips, model)['frames'][0].movedim(1, -1).numpy()
    masks = TrainedSegmentor(path)(frames, None)
    assert masks.shape == (4, 96, 64) and abs(masks - result['generated'][..., 0] / 255).max() < 0.003


def test_the_loss_is_the_formula(clips, trained):
    model, path, _ = trained
    loss = SemanticConsistencyLoss(dict(type='TrainedSegmentor', checkpoint=str(path)))
    real = model.data_preprocessor(whole_clip(clips, model))['frames'][0]
    fake = torch.rand_like(real).requires_grad_()
    value = loss(fake, real.requires_grad_())
    with torch.no_grad():
        wanted = F.binary_cross_entropy_with_logits(model.net_s(fake), (model.net_s(real) > 0).float())
    torch.testing.assert_close(value, wanted)
    value.backward()
    assert fake.grad.abs().sum() > 0 and real.grad is None and not list(loss.parameters())
    assert loss(real, real) < value


def test_it_trains_a_cycle_gan(clips, trained):
    model = build('CycleGAN', generator=dict(type='ResNetGenerator', ngf=4, n_blocks=1), discriminator=dict(type='PatchGAN', ndf=4),
                  losses=dict(gan=dict(type='GANLoss'), cycle=dict(type='L1Loss', weight=10.0), semantic=dict(
                      type='SemanticConsistencyLoss', of='skeleton',
                      segmentor=dict(type='TrainedSegmentor', checkpoint=str(trained[1])))))
    batch = batch_of(clips, model, window=1)
    wrappers = OptimWrapperDict(**{
        name: OptimWrapper(torch.optim.SGD([p for key, p in model.named_parameters() if key.startswith(f'net_{name}')], 1e-3))
        for name in 'gd'})
    logs = model.train_step(dict(a=batch, b=batch), wrappers)
    assert {'g/semantic_ab', 'g/semantic_ba'} <= set(logs)


def test_what_cannot_be(tmp_path):
    with pytest.raises(InputError, match='no differentiable logits'):
        SemanticConsistencyLoss(dict(type='PoseGrabCut'))
    with pytest.raises(MissingWeightsError, match='cycada_segmentor'):
        TrainedSegmentor(tmp_path / 'cycada_segmentor')
    with pytest.raises(InputError, match='for generation only'):
        SemanticConsistencyLoss(None)(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8))
    torch.save(dict(state_dict={'net_g.weight': torch.zeros(1)}), tmp_path / 'other.pth')
    with pytest.raises(InputError, match='no segmentation network'):
        TrainedSegmentor(tmp_path / 'other.pth')
