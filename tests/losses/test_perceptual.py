"""PerceptualLoss: which network is found, its formula against an independent one, frozen and hidden."""

import copy
import logging

import pytest
import torch
from mmengine.logging import MMLogger
from torch import nn

from toolkit.losses.perceptual import PerceptualLoss
from toolkit.losses.perceptual_backbones import Features, vgg19_layers
from toolkit.registry import LOSSES
from toolkit.structures import InputError, MissingWeightsError

VGG_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1)


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    """No weight file anywhere."""
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(tmp_path / 'weights'))
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'torch'))
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope='module')
def vgg_file(tmp_path_factory):
    """A file like torchvision's, with random weights and a classifier that nobody reads."""
    torch.manual_seed(0)
    state = {f'features.{k}': v for k, v in vgg19_layers().state_dict().items()}
    path = tmp_path_factory.mktemp('vgg') / 'vgg19-dcbb9e9d.pth'
    torch.save({**state, 'classifier.0.bias': torch.zeros(7)}, path)
    return path


@pytest.fixture
def log(monkeypatch):
    """Messages of MMEngine's current logger."""
    messages = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)


def pictures(size=32, batch=2):
    torch.manual_seed(1)
    return torch.rand(batch, 3, size, size) * 2 - 1, torch.rand(batch, 3, size, size) * 2 - 1


def reference(path, fake, real):
    """Formula of pix2pixHD over torchvision's own VGG-19."""
    from torchvision.models.vgg import cfgs, make_layers
    features = make_layers(cfgs['E'], batch_norm=False)[:30]
    state = torch.load(path, weights_only=True)
    features.load_state_dict({k.removeprefix('features.'): v for k, v in state.items() if k.startswith('features.')}, strict=False)
    total = 0
    for i, layer in enumerate(features):
        fake, real = layer(fake.clone()), layer(real.clone())
        if i in (1, 6, 11, 20, 29):
            total = total + VGG_WEIGHTS[(1, 6, 11, 20, 29).index(i)] * nn.functional.l1_loss(fake, real)
    return total


def test_vgg19_has_its_parameters():
    with torch.device('meta'):
        assert sum(p.numel() for p in vgg19_layers().parameters()) == 12_944_960


def test_vgg19_agrees_with_torchvision(vgg_file):
    fake, real = pictures()
    loss = PerceptualLoss('vgg19', weights=str(vgg_file))
    with torch.no_grad():
        torch.testing.assert_close(loss(fake, real), reference(vgg_file, fake, real))
        normalized = [((x + 1) / 2 - torch.tensor([0.485, 0.456, 0.406])[:, None, None])
                      / torch.tensor([0.229, 0.224, 0.225])[:, None, None] for x in (fake, real)]
        imagenet = PerceptualLoss('vgg19', norm='imagenet', weights=str(vgg_file))(fake, real)
        torch.testing.assert_close(imagenet, reference(vgg_file, *normalized))
        assert not torch.isclose(imagenet, loss(fake, real), rtol=0.05)


def test_a_layer_is_compared_as_it_is_where_an_activation_follows_it():
    """It changes its input in place, where nobody else looks at that."""
    layers = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(True), nn.Conv2d(4, 4, 1), nn.ReLU(True))
    fake, _ = pictures()
    with torch.no_grad():
        first, third = Features(layers, (0, 2), False)(fake)
        torch.testing.assert_close(first, layers[0](fake))
        torch.testing.assert_close(third, layers[2](first.relu()))
    assert first.min() < 0 and layers[3].inplace


def test_vgg19_is_found_in_the_weights_folder_and_in_torchs_cache(no_weights, vgg_file, log):
    for folder in (no_weights / 'weights', no_weights / 'torch' / 'hub' / 'checkpoints'):
        folder.mkdir(parents=True)
        link = folder / vgg_file.name
        link.symlink_to(vgg_file)
        assert PerceptualLoss().backbone_name == 'vgg19'
        assert 'perceptual loss: vgg19' in log[-1]
        link.unlink()
    assert PerceptualLoss().backbone_name == 'off'


def test_zero_for_equal_pictures_and_gradient_to_fake_only(vgg_file):
    loss = PerceptualLoss('vgg19', weights=str(vgg_file))
    fake, real = pictures()
    assert loss(fake, fake).item() == 0
    fake.requires_grad_()
    real.requires_grad_()
    loss(fake, real).backward()
    assert fake.grad.abs().max() > 0
    assert real.grad is None


def test_network_is_hidden_frozen_and_follows_the_loss(vgg_file):
    model = nn.Sequential(nn.Conv2d(3, 3, 1), PerceptualLoss('vgg19', weights=str(vgg_file)))
    loss = model[1]
    frozen = loss._frozen[0]
    assert len(list(model.parameters())) == 2
    assert list(model.state_dict()) == ['0.weight', '0.bias']
    model.train()
    assert not any(m.training for m in frozen.modules())
    assert not any(p.requires_grad for p in frozen.parameters())
    model.double()
    assert {p.dtype for p in frozen.parameters()} == {torch.float32}
    model.to('meta')
    assert {t.device.type for t in frozen.state_dict().values()} == {'meta'}


def test_runs_in_float32_inside_autocast_and_survives_copy(vgg_file):
    loss = PerceptualLoss('vgg19', weights=str(vgg_file))
    fake, real = pictures()
    plain = loss(fake, real)
    with torch.autocast('cpu', torch.bfloat16):
        inside = loss(fake, real)
        halved = loss(fake.bfloat16(), real.bfloat16())
    assert inside.dtype == halved.dtype == torch.float32
    torch.testing.assert_close(inside, plain)
    torch.testing.assert_close(copy.deepcopy(loss)(fake, real), plain)


def test_building_it_draws_no_random_numbers(vgg_file):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    PerceptualLoss('vgg19', weights=str(vgg_file))
    assert torch.equal(torch.get_rng_state(), before)


def test_auto_without_weights_is_off_and_says_so(no_weights, log):
    loss = LOSSES.build(dict(type='PerceptualLoss'))
    fake, real = pictures()
    assert loss.backbone_name == 'off'
    assert loss(fake, real).item() == 0
    assert any('vgg19-dcbb9e9d.pth' in m for m in log)
    assert any('squeezenet1_1_fp16.safetensors' in m for m in log)
    assert 'perceptual loss: off' in log[-1]


@pytest.mark.parametrize('network', ['vgg19', 'squeezenet1_1'])
def test_named_network_without_weights_is_an_error(no_weights, network):
    with pytest.raises(MissingWeightsError, match='TOOLKIT_WEIGHTS'):
        PerceptualLoss(network)


def test_wrong_file_is_named(tmp_path):
    path = tmp_path / 'other.pth'
    torch.save({'conv.weight': torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r'other.pth has no features\.0\.weight'):
        PerceptualLoss('vgg19', weights=str(path))


@pytest.mark.parametrize('options', [
    dict(network='alexnet'), dict(norm='caffe'), dict(network='auto', layers=(1, 4)), dict(network='auto', layer_weights=(1.0,))])
def test_wrong_options(options):
    with pytest.raises(InputError):
        PerceptualLoss(**options)


def test_layers_and_weights_can_be_chosen(vgg_file):
    fake, real = pictures()
    one = PerceptualLoss('vgg19', weights=str(vgg_file), layers=(1,), layer_weights=(2.0,))
    conv = vgg19_layers()[:2]
    conv.load_state_dict({k.removeprefix('features.'): v for k, v in torch.load(vgg_file).items() if k.startswith('features.0.')})
    with torch.no_grad():
        torch.testing.assert_close(one(fake, real), 2 * (conv(fake) - conv(real)).abs().mean())
    for layers in ((6, 1), (1, 30)):
        with pytest.raises(InputError, match='ascending'):
            PerceptualLoss('vgg19', weights=str(vgg_file), layers=layers)
    with pytest.raises(InputError, match='2 entries for 1 layers'):
        PerceptualLoss('vgg19', weights=str(vgg_file), layers=(1,), layer_weights=(1.0, 2.0))


@pytest.mark.shared
def test_auto_takes_squeezenet_where_vgg19_is_missing(no_weights, shared_weights, log):
    loss = PerceptualLoss()
    assert loss.backbone_name == 'squeezenet1_1'
    assert 'perceptual loss: squeezenet1_1' in log[-1]
    fake, real = pictures(64)
    assert loss(fake, fake).item() == 0
    fake.requires_grad_()
    loss(fake, real).backward()
    assert fake.grad.abs().max() > 0
    assert not loss.state_dict()


@pytest.mark.shared
def test_squeezenet_is_relative_and_does_not_mix_samples(shared_weights):
    """Against torchvision's own SqueezeNet, one picture after the other."""
    from safetensors.torch import load_file
    from torchvision.models import squeezenet1_1
    network = squeezenet1_1(weights=None).eval()
    network.load_state_dict({k: v.float() for k, v in load_file(shared_weights / 'squeezenet1_1_fp16.safetensors').items()})
    mean, std = torch.tensor([0.485, 0.456, 0.406])[:, None, None], torch.tensor([0.229, 0.224, 0.225])[:, None, None]

    def features(x, last):
        return network.features[:last + 1](((x + 1) / 2 - mean) / std)

    fake, real = pictures(64)
    expected = []
    with torch.no_grad():
        for f, r in zip(fake.split(1), real.split(1)):
            for last in (1, 4, 7):
                expected.append((features(f, last) - features(r, last)).abs().mean() / features(r, last).mean())
        value = PerceptualLoss('squeezenet1_1')(fake, real)
    torch.testing.assert_close(value, sum(expected) / len(expected), atol=1e-5, rtol=1e-5)


@pytest.mark.shared
def test_squeezenet_sees_blur_and_grows_with_it(shared_weights):
    loss = PerceptualLoss('squeezenet1_1')
    _, real = pictures(64, 1)
    values = [loss(nn.functional.avg_pool2d(real, k, 1, k // 2), real).item() for k in (1, 3, 7)]
    assert values[0] == 0
    assert 0.05 < values[1] < values[2]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA device')
def test_follows_to_the_gpu(vgg_file):
    loss = PerceptualLoss('vgg19', weights=str(vgg_file))
    fake, real = pictures()
    expected = loss(fake, real)
    torch.testing.assert_close(nn.Sequential(loss).cuda()[0](fake.cuda(), real.cuda()).cpu(), expected, rtol=1e-2, atol=1e-3)
