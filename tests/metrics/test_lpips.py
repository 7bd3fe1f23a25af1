import cv2
import numpy as np
import pytest
import torch

from toolkit.metrics.lpips import LPIPS, LPIPSNetwork, find_backbone
from toolkit.structures import InputError, MissingWeightsError


@pytest.fixture
def no_weights(monkeypatch, tmp_path):
    folder = tmp_path / 'weights_of_the_test'
    folder.mkdir()
    monkeypatch.setenv('TOOLKIT_WEIGHTS', str(folder))
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(folder / 'hub'))
    return folder


def fake_backbone(folder, net, file):
    import torchvision
    torch.manual_seed(0)
    torch.save(getattr(torchvision.models, net)(weights=None).state_dict(), folder / file)


@pytest.fixture
def picture():
    rng = np.random.default_rng(0)
    return cv2.GaussianBlur(rng.integers(0, 255, (96, 64, 3), np.uint8), (0, 0), 2)[None]


def test_never_random_weights(no_weights, make_sample):
    with pytest.raises(MissingWeightsError, match='alexnet-owt-7be5be79.pth'):
        LPIPSNetwork('auto')
    metric = LPIPS()
    assert metric.prefix == 'lpips'
    summaries = metric.summarize([metric.measure(make_sample())])
    assert {s.value for s in summaries.values()} == {None}
    assert all('squeezenet1_1_fp16.safetensors' in s.reason for s in summaries.values())


def test_auto_prefers_alex_then_vgg_then_squeeze(no_weights):
    files = {'squeeze': 'squeezenet1_1_fp16.safetensors', 'vgg': 'vgg16-397923af.pth', 'alex': 'alexnet-owt-7be5be79.pth'}
    for net, file in files.items():
        (no_weights / file).touch()
        assert find_backbone('auto') == (net, no_weights / file)
    assert find_backbone('squeeze')[0] == 'squeeze'


def test_finds_torch_hubs_cache(no_weights):
    (no_weights / 'hub' / 'checkpoints').mkdir(parents=True)
    fake_backbone(no_weights / 'hub' / 'checkpoints', 'squeezenet1_1', 'squeezenet1_1-b8a52dc0.pth')
    assert LPIPS().prefix == 'lpips_squeeze'


def test_backbone_reaches_the_network(no_weights, picture):
    """The distance uses the file's weights and the package's own linear heads, checked against a computation by hand."""
    import lpips
    import torchvision
    fake_backbone(no_weights, 'squeezenet1_1', 'squeezenet1_1-b8a52dc0.pth')
    network = torchvision.models.squeezenet1_1(weights=None)
    network.load_state_dict(torch.load(no_weights / 'squeezenet1_1-b8a52dc0.pth', weights_only=True))
    heads = torch.load(next(p for p in lpips.__path__) + '/weights/v0.1/squeeze.pth', map_location='cpu', weights_only=True)
    other = 255 - picture
    shift, scale = torch.tensor([-.030, -.088, -.188])[:, None, None], torch.tensor([.458, .448, .450])[:, None, None]

    def features(frame):
        x = (torch.from_numpy(frame).permute(0, 3, 1, 2) / 127.5 - 1 - shift) / scale
        for i, layer in enumerate(network.features):
            x = layer(x)
            if i in (1, 4, 7, 9, 10, 11, 12):
                yield x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)

    with torch.no_grad():
        expected = sum(((a - b).square() * heads[f'lin{i}.model.1.weight']).sum(1).mean().item()
                       for i, (a, b) in enumerate(zip(features(picture), features(other))))
    assert LPIPSNetwork('squeeze')(picture, other)[0] == pytest.approx(expected, rel=1e-4)


def test_wrong_weight_file(no_weights):
    fake_backbone(no_weights, 'squeezenet1_0', 'squeezenet1_1-b8a52dc0.pth')
    with pytest.raises(InputError, match='squeezenet1_1-b8a52dc0.pth does not fit'):
        LPIPSNetwork('squeeze')


def test_unknown_network():
    with pytest.raises(ValueError, match="got 'resnet'"):
        find_backbone('resnet')


def test_small_frames_are_not_available(no_weights, make_sample):
    fake_backbone(no_weights, 'squeezenet1_1', 'squeezenet1_1-b8a52dc0.pth')
    measures = LPIPS(protocols=['full', 'crop']).measure(make_sample(frames=2, height=31, width=40))['measures']
    assert 'at least 32 px, got 31x40' in measures['full']['reason'] and measures['crop']['value'] == 0


@pytest.mark.shared
def test_squeeze_orders_pictures_as_people_do(shared_weights, picture):
    network = LPIPSNetwork('squeeze')
    blurred = [cv2.GaussianBlur(picture[0], (0, 0), s)[None] for s in (1, 2, 4)]
    distances = [network(b, picture)[0] for b in blurred]
    assert network(picture, picture)[0] == 0
    assert 0 < distances[0] < distances[1] < distances[2] < 1
    brighter = np.clip(picture.astype(int) + 6, 0, 255).astype(np.uint8)
    assert network(brighter, picture)[0] < distances[1]  # PSNR 32 dB; people mind blur more


def test_steps_of_a_video_see_each_frame_once(no_weights):
    fake_backbone(no_weights, 'squeezenet1_1', 'squeezenet1_1-b8a52dc0.pth')
    video = np.random.default_rng(0).integers(0, 255, (17, 32, 40, 3), np.uint8)
    network, seen = LPIPSNetwork('squeeze'), []
    pairs = network(video[1:], video[:-1])
    network._network.net.register_forward_hook(lambda module, given, made: seen.append(len(given[0])))
    assert np.allclose(network.steps(video), pairs, rtol=1e-5)
    assert sum(seen) == len(video) and len(seen) > 2  # steps between chunks count
    assert network.steps(video[:1]).shape == (0,)
    with pytest.raises(ValueError, match='at least 32 px, got 31x40'):
        network.steps(video[:, 1:])
    with pytest.raises(TypeError, match='uint8'):
        network.steps(video / np.float32(255))


@pytest.mark.shared
def test_refuses_anything_but_uint8(shared_weights, picture):
    network = LPIPSNetwork('squeeze')
    with pytest.raises(TypeError, match='uint8'):
        network(picture / np.float32(255), picture / np.float32(255))


@pytest.mark.shared
def test_frozen_and_named_after_its_network(shared_weights, make_sample):
    metric = LPIPS(net='squeeze')
    assert metric.prefix == 'lpips_squeeze'
    assert 'squeezenet1_1' in metric.definitions['full'].text
    summary = metric.summarize([metric.measure(make_sample())])['lpips_squeeze/full']
    assert summary.value == 0 and summary.n_frames == 3
