"""posewarp at 384x256: pairs of frames of one clip, 150,000 iterations, batch 4."""
_base_ = ['../_base_/runtime.py', '../_base_/synthetic_actions.py', '../_base_/gan_optimizers.py', '../_base_/evaluation.py']

model = dict(
    type='PoseWarp',
    generator=dict(ngf=64, n_down=6),
    discriminator=dict(type='PatchGAN', ndf=64, n_layers=3),
    losses=dict(
        gan=dict(type='GANLoss', objective='vanilla', weight=0.1),
        perceptual=dict(type='PerceptualLoss', network='auto', download=True, norm='imagenet', weight=1.0),
        l1=dict(type='L1Loss', weight=1.0)))

_adam = dict(lr=1e-4, betas=(0.9, 0.999))
optim_wrapper = dict(g=dict(optimizer=_adam), d=dict(optimizer=_adam))
train_dataloader = dict(batch_size=4, dataset=dict(window=1, content='random'))
train_cfg = dict(type='IterLoop', max_iters=150_000)
