"""cVAE-GAN: sizes as published, who learns, the KL, and the code of the content frame."""

from pathlib import Path

import torch

from tests.models.baseline_parts import batch_of, build, optimizers, parameters, step, whole_clip
from toolkit.engine.launch import load_config
from toolkit.registry import MODELS

CONFIG = Path(__file__).resolve().parents[2] / 'configs' / 'baselines' / 'cvae_gan.py'
OPTIONS = dict(
    encoder=dict(type='ResNetEncoder', nz=4, nef=4, n_down=2), generator=dict(type='UNet', n_down=3, ngf=4),
    discriminator=dict(type='BicycleDiscriminator', ndf=4, n_layers=2),
    losses=dict(gan=dict(type='GANLoss'), l1=dict(type='L1Loss', weight=10.0), kl=dict(type='KLLoss', weight=0.01)))


def test_networks_have_the_published_sizes():
    with torch.device('meta'):
        model = MODELS.build(load_config(CONFIG).model.to_dict())
    assert parameters(model.net_e) == 2_594_144 and parameters(model.net_d) == 3_458_978
    assert parameters(model.net_g) == 42_465_667 - 64 * 16  # 3 channels in, 4 as published


def test_every_network_learns_and_the_kl_is_that_of_the_codes(clips):
    model = build('CVAEGAN', **OPTIONS)
    batch = batch_of(clips, model)
    with torch.no_grad():
        mu, logvar = model.net_e(model.data_preprocessor(batch)['frames'].flatten(0, 1))
    logs, changed = step(model, batch, optimizers(model, 1e-2, g=['net_g', 'net_e'], d=['net_d']))
    assert changed == {'net_g', 'net_e', 'net_d'} and set(logs) == {'g/gan', 'g/l1', 'g/kl', 'd/fake', 'd/real'}
    nats = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(1).mean()
    torch.testing.assert_close(logs['g/kl'], 0.01 * nats)


def test_it_paints_with_the_code_of_the_content_frame(clips):
    model = build('CVAEGAN', **OPTIONS).eval()
    with torch.no_grad():
        for p in model.net_g.parameters():
            p.mul_(20)
    data = whole_clip(clips, model)
    before = model.test_step(data)[0]['generated']
    data['content_frame'] = 255 - data['content_frame']
    assert before.shape == (4, 96, 64, 3) and (model.test_step(data)[0]['generated'] != before).any()
