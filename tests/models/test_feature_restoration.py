"""Feature restoration: its own training, and its frozen network in the service of stage II."""

import copy

import pytest
import torch

from tests.helpers import adams
from toolkit import apis
from toolkit.model_parts.feature_maps import FeatureMaps
from toolkit.model_parts.frozen_restoration import load_restoration
from toolkit.models.base import VideoModel
from toolkit.registry import MODELS
from toolkit.restorers.restoration import RestorationNetwork
from toolkit.structures import InputError, MissingWeightsError
from toolkit.weights import use_packed_configs

H, W = 48, 32
ALL_LOSSES = dict(
    gan=dict(type='GANLoss'), l1=dict(type='FeatureMapL1Loss', weight=10.0), fm=dict(type='FeatureMatchingLoss', weight=1.0))
TINY = dict(type='RestorationNetwork', ngf=4, n_blocks=1)
STAGE2 = dict(
    type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1),
    discriminator=dict(type='MultiscaleDiscriminator', ndf=4, n_layers=2, num_scales=1), losses=dict(gan=dict(type='GANLoss')))


def build(losses=ALL_LOSSES, sees='all', seed=0):
    torch.manual_seed(seed)
    return MODELS.build(dict(
        type='FeatureRestoration', generator=dict(TINY, sees=sees), losses=losses,
        discriminator=dict(type='PatchGAN', ndf=4, n_layers=2)))


def stage2(**feature_maps):
    torch.manual_seed(0)
    curriculum = feature_maps.pop('curriculum', None)
    return MODELS.build(dict(STAGE2, feature_maps=feature_maps, curriculum=curriculum))


def batch_of(model: VideoModel, size=2, frames=1, seed=0):
    """Random maps and a person who stretches from frame to frame."""
    generator = torch.Generator().manual_seed(seed)
    batch = model.example_batch(H, W, frames)
    batch = {k: torch.cat([v] * size) if torch.is_tensor(v) else v * size for k, v in batch.items()}
    for key, value in batch.items():
        if torch.is_tensor(value) and value.dtype == torch.uint8:
            high = 11 if key == 'content_parts' else 256
            batch[key] = torch.randint(0, high, value.shape, generator=generator).to(torch.uint8)
    for key in ('poses', 'content_pose'):
        moved = torch.rand(*batch[key].shape[:-1], 2, generator=generator) * torch.tensor([W, H])
        batch[key] = torch.cat([moved, torch.ones_like(moved[..., :1])], -1)
    return batch


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """Work dir of a restoration run with two checkpoints, and the model of the later one, which changes what it sees."""
    folder, model = tmp_path_factory.mktemp('run'), build(seed=5)
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'iter_0000009.pth')
    torch.nn.init.normal_(model.net_g.network.head.conv.weight, 0, 0.02)
    torch.save(dict(state_dict=model.state_dict(), meta={}), folder / 'iter_0000010.pth')
    return folder, model


# ---- training -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('sees', ['all', 'warped'])
def test_train_step_moves_both_networks(sees):
    model = build(sees=sees)
    before = copy.deepcopy(model.state_dict())
    logs = model.train_step(batch_of(model), adams(model, 1e-2))
    assert set(logs) == {'g/gan', 'g/l1', 'g/fm', 'd/fake', 'd/real'}
    assert all(v.isfinite() and not v.requires_grad for v in logs.values())
    for prefix in ('net_g.', 'net_d.'):
        assert any(not torch.equal(v, before[k]) for k, v in model.state_dict().items() if k.startswith(prefix)), prefix


def test_the_discriminator_is_judged_on_what_the_network_sees():
    model, shapes = build(sees='warped'), []
    model.net_d.register_forward_pre_hook(lambda module, args: shapes.append(tuple(args[0].shape)))
    model.train_step(batch_of(model), adams(model, 1e-2))
    assert set(shapes) == {(2, 8, H, W)}


def test_each_network_learns_from_its_own_loss_only():
    model = build()
    wrappers, left = adams(model, 1e-2), {}
    for name, other in (('g', model.net_d), ('d', model.net_g)):
        def update(loss, name=name, other=other):
            for network in (model.net_g, model.net_d):
                network.zero_grad()
            loss.backward()
            left[name] = [p for p in other.parameters() if p.grad is not None]
        wrappers[name].update_params = update
    model.train_step(batch_of(model), wrappers)
    assert left == dict(g=[], d=[])


def test_without_a_gan_only_the_restoration_network_is_trained():
    model = build(dict(l1=dict(type='FeatureMapL1Loss'), gan=dict(type='GANLoss', weight=0.0)))
    before = copy.deepcopy(model.net_d.state_dict())
    logs = model.train_step(batch_of(model), adams(model, 1e-2))
    assert set(logs) == {'g/l1'} and all(torch.equal(v, before[k]) for k, v in model.net_d.state_dict().items())


def test_nothing_to_learn_from():
    with pytest.raises(InputError, match='fm needs the layers of the discriminator'):
        build(dict(fm=dict(type='FeatureMatchingLoss')))


def test_training_lowers_the_error():
    model = build(dict(l1=dict(type='FeatureMapL1Loss')))
    wrappers, data = adams(model, 1e-2), batch_of(model)
    losses = [model.train_step(data, wrappers)['g/l1'].item() for _ in range(30)]
    assert losses[-1] < 0.8 * losses[0]


def test_result_and_baseline():
    model = build().eval()
    data = batch_of(model, size=1, frames=18)
    mine, = model.test_step(data)
    warped, = MODELS.build(model.baselines()['Warped']).test_step(data)
    batch = model.data_preprocessor(data)
    with torch.no_grad():
        x = model.feature_maps.warped(batch)[0]
        expected = model.net_g(x)

    def stored(maps):
        return (maps * 255).round().byte().movedim(1, -1).numpy()

    assert abs(mine['features'].astype(int) - stored(expected)).max() <= 1
    assert (warped['features'] == stored(x[:, :4])).all()
    real = stored(torch.cat([batch['pose_maps'], batch['edges'] * batch['masks']], 2)[0])
    assert (mine['real_features'] == real).all() and (warped['real_features'] == real).all()
    assert mine['generated'].shape == mine['real'].shape == (18, H, W, 3)
    assert (mine['real'] == real[..., :3].clip(real[..., 3:])).all(), 'a picture of stick figure and edges'


# ---- frozen in stage II ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['', 'iter_0000010.pth'])
def test_the_network_comes_back_from_its_checkpoint_alone(run, name):
    folder, model = run
    network = load_restoration(folder / name)
    assert network.config == model.net_g.config and not network.training
    assert not any(p.requires_grad for p in network.parameters())
    x = torch.rand(1, 8, H, W)
    assert torch.equal(network(x), model.net_g(x))


def test_stage_two_sees_restored_edges_and_rendered_poses(run):
    folder, model = run
    batch = model.data_preprocessor(batch_of(model, frames=2))
    restored = model.net_g(model.feature_maps.warped(batch).flatten(0, 1)).unflatten(0, (2, 2)).detach()
    rendered = FeatureMaps(restoration=str(folder))(batch)
    torch.testing.assert_close(rendered[:, :, 3:], restored[:, :, 3:])
    assert torch.equal(rendered[:, :, :3], batch['pose_maps']) and not rendered.requires_grad
    torch.testing.assert_close(FeatureMaps(pose_channels='warped', restoration=folder)(batch), restored)
    assert not torch.equal(rendered, FeatureMaps()(batch))


def test_training_stage_two_leaves_it_alone(run):
    model = stage2(restoration=str(run[0])).train()
    before = copy.deepcopy(model.feature_maps.state_dict())
    model.train_step(batch_of(model, frames=2), adams(model, 1e-2))
    assert not model.feature_maps.restoration.training
    assert all(p.grad is None for p in model.feature_maps.parameters())
    assert all(torch.equal(v, before[k]) for k, v in model.feature_maps.state_dict().items()) and before
    assert set(model.networks()) == {'restoration', 'net_g', 'net_d', 'net_g_ema'}


def test_a_checkpoint_of_stage_two_needs_no_file_of_the_restoration(run, tmp_path):
    model, config = stage2(restoration=str(run[0])), dict(STAGE2, feature_maps=dict(restoration='gone'))
    torch.save(dict(state_dict=model.state_dict(), meta=dict(config=dict(model=config))), tmp_path / 'stage2.pth')
    again = apis.load(tmp_path / 'stage2.pth', device='cpu').model
    assert again.feature_maps.restoration.config == run[1].net_g.config
    data = batch_of(model, size=1, frames=2)
    assert (again.test_step(data)[0]['generated'] == model.test_step(data)[0]['generated']).all()


@pytest.mark.parametrize('config', [dict(), dict(feature_maps=None), dict(feature_maps=dict(edge_channel='warped')),
                                    dict(feature_maps=dict(restoration=dict(base=4)))])
def test_models_without_a_restoration_stay_as_they_are(run, config):
    expected = copy.deepcopy(config)
    use_packed_configs(config, stage2(restoration=str(run[0])).state_dict())
    assert config == expected


def test_curriculum_in_training_and_never_in_generation(run):
    model = stage2(restoration=str(run[0]), curriculum=dict(probability=0.5, iterations=2))
    batch = model.data_preprocessor(batch_of(model, size=16, frames=2))
    estimated, real = model.feature_maps(batch), model.feature_maps.real(batch)
    kinds = []
    for iteration in range(3):
        model.set_train_state(seed=3, rank=0, iteration=iteration, max_iters=9)
        features = model.training_features(batch)
        assert torch.equal(features, model.training_features(batch)), 'a resumed run draws the same'
        is_real = [torch.equal(f, r) for f, r in zip(features, real)]
        assert all(r or torch.equal(f, e) for r, f, e in zip(is_real, features, estimated))
        kinds.append(is_real)
    assert kinds[0] != kinds[1] and all(0 < sum(k) < 16 for k in kinds[:2]) and not any(kinds[2])
    model.set_train_state(seed=3, rank=0, iteration=0, max_iters=9)
    plain = stage2(restoration=str(run[0]))
    data = batch_of(model, size=1, frames=2)
    assert (model.test_step(data)[0]['generated'] == plain.test_step(data)[0]['generated']).all()


def test_no_curriculum_by_default(run):
    model = stage2(restoration=str(run[0]))
    batch = model.data_preprocessor(batch_of(model, frames=2))
    assert torch.equal(model.training_features(batch), model.feature_maps(batch))


def test_a_missing_checkpoint_says_how_to_make_it(tmp_path):
    with pytest.raises(MissingWeightsError, match='nowhere does not exist.*tools/train.py configs/feature_restoration.py'):
        FeatureMaps(restoration=str(tmp_path / 'nowhere'))
    with pytest.raises(MissingWeightsError, match='no checkpoint in .*tools/train.py configs/feature_restoration.py'):
        FeatureMaps(restoration=str(tmp_path))


def test_wrong_checkpoints_and_options(tmp_path, run):
    other = tmp_path / 'other.pth'
    torch.save(dict(state_dict={'net_g.weight': torch.zeros(1)}), other)
    with pytest.raises(InputError, match='holds no restoration network.*feature_restoration.py'):
        load_restoration(other)
    torch.save(dict(state_dict={k: v for k, v in run[1].state_dict().items() if 'stem' not in k}), other)
    with pytest.raises(InputError, match='2 missing in the file.*stem'):
        load_restoration(other)
    with pytest.raises(InputError, match="edge_channel='real'"):
        FeatureMaps(edge_channel='real', restoration=run[0])
    assert isinstance(load_restoration(dict(ngf=2, n_blocks=1)), RestorationNetwork)
