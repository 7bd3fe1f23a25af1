"""From the authors' files to a video: converted, put together by a config, published, generated."""

import runpy
from pathlib import Path

import pytest
import torch

from tests.conversion import official as o
from toolkit import apis
from toolkit.video.io import VideoReader

ROOT = Path(__file__).resolve().parent.parent.parent
KEYS = [tuple(None if i is None else f'{prefix}.{i}' for i in rest) for prefix, *rest in o.nested_names(5)]
"""Layers of pix2pix's U-Net, see :mod:`tests.conversion.official`."""
TINY = dict(
    cyclegan=("""_base_ = 'hvt::cyclegan.py'
model = dict(generator=dict(ngf=4, n_blocks=6), discriminator=dict(ndf=4))
""", dict(net_g_ab='a', net_g_ba='b')),
    pix2pix=("""_base_ = 'hvt::baselines/pix2pix.py'
model = dict(generator=dict(n_down=5, ngf=4, norm='batch'), discriminator=dict(ndf=4), losses=dict(perceptual=dict(network='off')))
train_dataloader = dict(dataset=dict(size=(96, 64)))
""", dict(net_g='a')),
    pix2pixhd=("""_base_ = 'hvt::baselines/pix2pixhd.py'
model = dict(generator=dict(ngf=4, n_down=2, n_blocks=2), discriminator=dict(ndf=4), losses=dict(perceptual=dict(network='off')))
""", dict(net_g='a')),
    everybody_dance_now=("""_base_ = 'hvt::baselines/everybody_dance_now.py'
_off = dict(network='off')
model = dict(generator=dict(ngf=3, n_down=1, n_blocks=1, n_local_blocks=2), discriminator=dict(ndf=4), face_generator=None,
             face_discriminator=None, stages=(0, 1), losses=dict(
                 perceptual=_off, face_perceptual=dict(weight=0), face=dict(weight=0)))
networks_from = dict(net_g_coarse=None)
""", dict(net_g='a')))


def made(kind, seed):
    m = o.Maker(seed)
    if kind == 'cyclegan':
        o.make_trunk(m, 'model', 3, 4, 2, 6)
    elif kind == 'pix2pix':
        o.make_unet(m, KEYS, 3, 4, batch=True, bias=False)
    elif kind == 'pix2pixhd':
        o.make_trunk(m, 'model', 3, 4, 2, 2)
    else:
        o.make_enhancers(m, 6, 3, 1, 1, 1, 2)
    return m.state


def run(tool, *arguments):
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(ROOT / 'tools' / f'{tool}.py'))['main']([*map(str, arguments)])
    return stop.value.code


@pytest.mark.parametrize('kind', TINY)
def test_a_converted_model_generates(kind, clips, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    config, networks = TINY[kind]
    (tmp_path / 'mine.py').write_text(config)
    for seed, name in enumerate(networks.values()):
        torch.save(made(kind, seed), f'{name}.pth')
        assert run('convert_weights', 'cyclegan' if kind == 'pix2pix' else kind, f'{name}.pth', '--out', f'{name}.safetensors') == 0
    options = [f'networks_from.{network}={name}.safetensors' for network, name in networks.items()]
    publish = 'publish_model', 'mine.py', '--out', 'whole.safetensors', '--dtype', 'float32', '--any-size', '--cfg-options'
    assert run(*publish, *(options[1:] or ['resume=False'])) == 2
    missing = next(iter(networks))
    assert f'{missing} of ' in (said := capsys.readouterr().err) and f'--cfg-options networks_from.{missing}=FILE' in said
    assert run(*publish, *options) == 0
    content = [] if kind == 'cyclegan' else ['--content', clips[1].folder]
    assert run('generate', 'whole.safetensors', '--driving', clips[0].folder, *content, '--out', 'out.mp4', '--device', 'cpu') == 0
    assert len(list(VideoReader('out.mp4'))) == 4
    network = getattr(apis.load('whole.safetensors', 'cpu').model, missing)
    state = torch.load(f'{networks[missing]}.pth')
    x = torch.randn(1, 6 if kind == 'everybody_dance_now' else 3, 96, 64)
    with torch.no_grad():
        if kind == 'cyclegan':
            expected = o.run_trunk(state, 'model', x, 2, 6)
        elif kind == 'pix2pixhd':
            expected = o.run_trunk(state, 'model', x, 2, 2)
        elif kind == 'pix2pix':
            expected = o.run_unet(state, KEYS, x, skip_first=True)
        else:
            expected = o.run_enhancers(state, torch.cat([(x[:, :3] + 1) / 2, x[:, 3:]], 1), 1, 1, 1, 2)
        torch.testing.assert_close(network(x), expected, atol=1e-5, rtol=1e-5)
