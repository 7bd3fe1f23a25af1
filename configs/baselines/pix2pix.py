"""pix2pix, frame by frame from the stick figure, at 384x256: 100 + 100 epochs of 1,000 frames, batch 1."""
_base_ = ['../_base_/runtime.py', '../_base_/synthetic_actions.py', '../_base_/gan_optimizers.py', '../_base_/evaluation.py']

model = dict(
    type='Pix2Pix',
    generator=dict(type='UNet', n_down=7, ngf=64, dropout=True),
    discriminator=dict(type='PatchGAN', ndf=64, n_layers=3),
    losses=dict(
        gan=dict(type='GANLoss', objective='vanilla', weight=1.0),
        fm=dict(type='FeatureMatchingLoss', weight=0.0),
        perceptual=dict(type='PerceptualLoss', network='auto', download=True, weight=0.0),
        l1=dict(type='L1Loss', weight=100.0)))

train_dataloader = dict(dataset=dict(window=1))
train_cfg = dict(type='IterLoop', max_iters=200_000)
param_scheduler = [dict(type='ConstantThenLinearLR', constant=100, decay=100, epoch_iters=1000)]
