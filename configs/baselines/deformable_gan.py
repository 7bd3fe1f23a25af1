"""Deformable GAN at 384x256: pairs of frames of one clip, 90 epochs of 1,000 iterations, batch 4."""
_base_ = ['../_base_/runtime.py', '../_base_/synthetic_actions.py', '../_base_/gan_optimizers.py', '../_base_/evaluation.py']

model = dict(
    type='DeformableGAN',
    generator=dict(ngf=64, n_down=6, dropout=0.5, torso_everywhere=True),
    discriminator=dict(type='DeformableDiscriminator', ndf=64, n_layers=3),
    losses=dict(
        gan=dict(type='GANLoss', objective='vanilla', weight=1.0),
        nearest=dict(type='NearestNeighborLoss', network='auto', download=True, size=5, weight=0.01),
        l1=dict(type='L1Loss', weight=0.0)))

train_dataloader = dict(batch_size=4, dataset=dict(window=1, content='random'))
train_cfg = dict(type='IterLoop', max_iters=90_000)
