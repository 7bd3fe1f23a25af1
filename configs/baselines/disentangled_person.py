"""Disentangled Person Image Generation at 384x256: 100,000 iterations of reconstruction, 43,000 of mappings, batch 4."""
_base_ = ['../_base_/runtime.py', '../_base_/synthetic_actions.py', '../_base_/gan_optimizers.py', '../_base_/evaluation.py']

model = dict(
    type='DisentangledPerson',
    encoder=dict(nef=64, region_code=32, scene_code=128, n_down=4),
    generator=dict(type='UNet', n_down=7, ngf=64, z_injection='input'),
    discriminator=dict(type='PatchGAN', ndf=64, n_layers=3),
    losses=dict(
        gan=dict(type='GANLoss', objective='vanilla', weight=1.0),
        l1=dict(type='L1Loss', of='frames', weight=10.0),
        pose=dict(type='L1Loss', weight=1.0),
        codes=dict(type='GANLoss', objective='hinge', weight=1.0)),
    mappings_from=0.7)

optim_wrapper = dict(g=dict(networks=['net_g', 'net_e', 'net_p', 'net_m']), d=dict(networks=['net_d', 'net_c']))
train_dataloader = dict(batch_size=4, dataset=dict(window=1))
train_cfg = dict(type='IterLoop', max_iters=143_000)
