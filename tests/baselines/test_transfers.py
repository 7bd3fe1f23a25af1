"""Baselines of a transfer, the result they share with CycleGAN, and models without the networks of their losses."""

import numpy as np
import pytest
import torch

from toolkit.models.loss_table import for_generation, trained_against
from toolkit.models.transfer import transfer_result
from toolkit.registry import LOSSES, MODELS
from toolkit.structures import InputError

T, H, W = 3, 16, 12


class Frames(list):
    """Frames of a domain, each with its pose."""

    @property
    def poses(self):
        return np.stack([pose for _, pose in self])


def pose_at(x):
    return np.tile(np.array([x, 8, 1], np.float32), (18, 1))


def examples():
    return {name: Frames((np.full((H, W, 3), start + i, np.uint8), pose_at(4 * i)) for i in range(3))
            for name, start in (('a', 10), ('b', 100))}


def batch(direction='ab', truth=False):
    def maps(channels, value):
        return torch.full((1, T, channels, H, W), value, dtype=torch.uint8)

    data = dict(frames=maps(3, 50), masks=maps(1, 255), pose_maps=maps(3, 0), clip=[f'walk_{direction}'], direction=[direction],
                fps=torch.tensor([25.0]), poses=torch.from_numpy(np.stack([pose_at(x) for x in (7.5, 0, 4)]))[None])
    if truth:
        data |= dict(truth_frames=maps(3, 60), truth_masks=maps(1, 0), truth_pose_maps=maps(3, 1), truth_poses=data['poses'] + 1)
    return data


def answer(name, data):
    return MODELS.build(dict(type=name, domains=examples())).test_step(data)[0]


@pytest.mark.parametrize('direction, first', [('ab', 100), ('ba', 10)])
def test_what_each_shows(direction, first):
    data = batch(direction)
    assert (answer('CopyInput', data)['generated'] == 50).all()
    assert (answer('CopyTargetFrame', data)['generated'] == first + 1).all()
    assert answer('NearestTargetFrame', data)['generated'][:, 0, 0, 0].tolist() == [first + 2, first, first + 1]


def test_the_result_holds_input_and_truth():
    result = answer('CopyInput', batch('ba', truth=True))
    assert result['clip'] == 'walk_ba' and result['direction'] == 'ba' and result['has_truth'] and result['scored'].all()
    assert (result['real'] == 60).all() and not result['mask'].any() and result['poses'][0, 0, 1] == 9
    given = result['input']
    assert (given['frames'] == 50).all() and given['mask'].all() and given['poses'][0, 0, 1] == 8
    unpaired = answer('CopyInput', batch())
    assert not unpaired['has_truth'] and (unpaired['real'] == 50).all()


def test_truth_is_cut_to_what_was_generated():
    data = batch(truth=True)
    data |= {key: data[key][:, :2] for key in ('frames', 'masks', 'pose_maps', 'poses')}
    result = transfer_result(data, np.zeros((2, H, W, 3), np.uint8))
    assert len(result['real']) == len(result['mask']) == len(result['poses']) == len(result['scored']) == 2


def test_training_frames_are_needed():
    for name in ('CopyTargetFrame', 'NearestTargetFrame'):
        with pytest.raises(InputError, match='no training frame of person B'):
            MODELS.build(dict(type=name)).test_step(batch())


def test_training_frames_of_another_size_are_refused():
    data = batch()
    data |= {key: data[key][..., :8] for key in ('frames', 'masks', 'pose_maps')}
    for name in ('CopyTargetFrame', 'NearestTargetFrame'):
        with pytest.raises(InputError, match='walk_ab is tested at 16x8 .*training frames of person B.* are 16x12'):
            answer(name, data)
    assert answer('CopyInput', data)['generated'].shape == (T, H, 8, 3)


def cycle_gan(**skeleton):
    return dict(type='CycleGAN', generator=dict(type='ResNetGenerator', ngf=4, n_blocks=1),
                discriminator=dict(type='PatchGAN', ndf=4, n_layers=1), skeleton_scaling=True, auto_weight=dict(ratio=0.5),
                losses=dict(gan=dict(type='GANLoss'), cycle=dict(type='L1Loss'), skeleton=dict(
                    type='SkeletonLoss', pose_network=dict(type='OpenPoseMobile'), weight='auto_freeze', **skeleton)))


def test_models_generate_without_the_networks_of_their_losses(monkeypatch, tmp_path):
    config = cycle_gan(stage=2)
    whole = cycle_gan()
    whole['losses']['skeleton']['pose_network']['weights'] = None
    state = MODELS.build(whole).state_dict()
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path))
    model = MODELS.build(for_generation(config))
    model.load_state_dict(state)
    assert config['losses']['skeleton']['pose_network'] == dict(type='OpenPoseMobile'), 'the config itself stays'
    picture = torch.zeros(1, 3, 8, 8)
    with pytest.raises(InputError, match='without a pose network'):
        model.losses['skeleton'](picture, picture)
    assert 'network=None' in repr(model.losses['skeleton'])
    perceptual = dict(losses=dict(perceptual=dict(type='PerceptualLoss', network='vgg19', weight=10.0)))
    assert for_generation(perceptual)['losses']['perceptual']['network'] == 'off'


def test_pose_networks_of_losses_are_known():
    assert trained_against(cycle_gan()) == {'OpenPoseMobile'}
    off = cycle_gan()
    off['losses']['skeleton']['weight'] = 0
    assert trained_against(off) == trained_against(dict(type='CopyContent')) == set()


@LOSSES.register_module()
class StyleOfSomebody(torch.nn.Module):
    """A loss of somebody else that looks through a pose network of its own."""

    inputs = ('fake', 'real')
    for_generation = dict(helper=None)

    def __init__(self, helper):
        super().__init__()
        self.helper = None if helper is None else MODELS.build(helper)

    def forward(self, fake, real):
        return (fake - real).abs().mean()


def test_any_loss_says_what_it_needs_in_training_alone():
    config = dict(type='CycleGAN', losses=dict(style=dict(type='StyleOfSomebody', helper=dict(type='NoSuchNetwork'), weight=2.0)))
    assert for_generation(config)['losses']['style'] == dict(type='StyleOfSomebody', helper=None, weight=2.0)
    assert trained_against(config) == {'NoSuchNetwork'}
    strange = dict(a=dict(type='OfAMissingPlugin', pose_network=dict(type='X')), b=3, c=dict(type=5))
    assert trained_against(dict(losses=strange)) == set()
