"""A network as a file of ONNX: the same numbers, norms that became constants, and generation by it."""

import importlib.util

import numpy as np
import pytest
import torch
from mmengine.config import Config
from torch import nn

from toolkit import apis
from toolkit.clips.clip import Clip
from toolkit.generators.pix2pixhd import GlobalGenerator
from toolkit.inference.exporting import check_export, export_network
from toolkit.inference.fast import speed_up
from toolkit.inference.frozen_norms import freeze_norms
from toolkit.registry import MODELS
from toolkit.structures import InputError
from toolkit.synthetic.actions import SyntheticActions

needs_onnx = pytest.mark.skipif(any(importlib.util.find_spec(name) is None for name in ('onnx', 'onnxruntime')),
                                reason="onnx and onnxruntime are not installed: pip install 'human-video-toolkit[export]'")
SIZE = (96, 64)


@pytest.fixture(scope='module')
def clip(tmp_path_factory):
    root = tmp_path_factory.mktemp('clip')
    SyntheticActions(height=96, width=64, actors=2, actions=2, frames=4).write(
        root, actors=[0], actions=[1], num_workers=1, progress=False)
    return Clip(next(root.iterdir()))


def trained(**model):
    torch.manual_seed(0)
    model = dict(dict(
        type='VideoPix2PixHD', losses=dict(gan=dict(type='GANLoss')), feature_maps=dict(references=2, plate=True),
        generator=dict(type='BlendGenerator', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1)),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=1)), **model)
    return apis.Trained(MODELS.build(model).eval(), Config(dict(model=model)), SIZE)


@needs_onnx
def test_a_video_by_the_file_is_the_video_by_the_network(clip, tmp_path):
    import onnx
    about = export_network(trained(), tmp_path / 'me.onnx', SIZE)
    assert about['difference'] < 1e-4 and about['inputs'] == dict(x=(1, 18, *SIZE)) and about['norms'] == 0
    assert onnx.load(tmp_path / 'me.onnx').opset_import[0].version == 17
    plain, quick = trained(), trained()
    assert 'me.onnx' in speed_up(quick.model, str(tmp_path / 'me.onnx'))
    pictures = [np.stack(list(apis.stream(each, clip, clip.poses, SIZE))).astype(int) for each in (plain, quick)]
    assert abs(pictures[0] - pictures[1]).max() <= 1
    with pytest.raises(InputError, match='export it again for this checkpoint and this size'):
        list(apis.stream(quick, clip, clip.poses / 2, (48, 32)))


@torch.no_grad()
def test_frozen_norms_compute_the_same_on_the_frame_that_froze_them():
    torch.manual_seed(0)
    plain, frozen = (GlobalGenerator(3, ngf=8, n_down=2, n_blocks=2, up=up).eval() for up in ('nearest', 'nearest'))
    frozen.load_state_dict(plain.state_dict())
    x = torch.rand(1, 3, 32, 32) * 2 - 1
    assert freeze_norms(frozen, [(x,)]) == 9
    assert not any(isinstance(layer, nn.InstanceNorm2d) for layer in frozen.modules())
    torch.testing.assert_close(frozen(x), plain(x), atol=1e-5, rtol=1e-4)
    other = torch.rand(1, 3, 32, 32)
    assert (frozen(other) - plain(other)).abs().max() > 1e-3


def test_norms_that_are_no_constants_are_refused():
    class Bare(nn.Sequential):
        pass

    with pytest.raises(InputError, match='does not directly follow a convolution'):
        freeze_norms(Bare(nn.ReLU(), nn.InstanceNorm2d(3)), [(torch.rand(1, 3, 8, 8),)])
    with pytest.raises(InputError, match='there are none'):
        freeze_norms(nn.Conv2d(1, 1, 1), [])


@needs_onnx
def test_norms_are_frozen_over_frames_of_a_person(clip, tmp_path):
    about = export_network(trained(), tmp_path / 'me.onnx', SIZE, clip)
    assert about['norms'] == 7 and about['difference'] < 1e-3 and 0 < about['change'] < 20


@needs_onnx
def test_what_cannot_be_exported_is_refused(tmp_path):
    with pytest.raises(InputError, match='exported as .onnx'):
        check_export(tmp_path / 'me.pth')
    (tmp_path / 'me.onnx').write_text('mine')
    with pytest.raises(InputError, match='me.onnx'):
        check_export(tmp_path / 'me.onnx')
    with pytest.raises(InputError, match='no network that ONNX Runtime can run'):
        speed_up(trained().model, str(tmp_path / 'me.onnx'))
    assert (tmp_path / 'me.onnx').read_text() == 'mine'
