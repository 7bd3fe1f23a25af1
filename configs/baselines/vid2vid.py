"""vid2vid at 384x256: windows of 5 frames, batch 1, two earlier frames, two temporal scales; 20 epochs of about 10,000 windows."""
_base_ = ['../_base_/runtime.py', '../_base_/synthetic_actions.py', '../_base_/gan_optimizers.py', '../_base_/evaluation.py']

model = dict(
    type='Vid2Vid',
    generator=dict(past=2, ngf=64, n_down=3, n_blocks=9, foreground=True),
    discriminator=dict(type='MultiscaleDiscriminator', ndf=64, n_layers=3, num_scales=2),
    losses=dict(
        gan=dict(type='GANLoss', objective='lsgan', weight=1.0),
        fm=dict(type='FeatureMatchingLoss', of='gan', weight=10.0),
        temporal=dict(type='GANLoss', objective='lsgan', weight=1.0),
        temporal_fm=dict(type='FeatureMatchingLoss', of='temporal', weight=10.0),
        flow=dict(type='L1Loss', masked=True, weight=10.0),
        warp=dict(type='L1Loss', masked=True, weight=10.0),
        carried=dict(type='L1Loss', masked=True, weight=10.0),
        painted=dict(type='L1Loss', masked=True, weight=1.0),
        perceptual=dict(type='PerceptualLoss', of='frames', network='auto', download=True, weight=10.0),
        l1=dict(type='L1Loss', of='frames', weight=0.0)),
    temporal_scales=2,
    window=5)

train_dataloader = dict(dataset=dict(window=5))
optim_wrapper = dict(d=dict(networks=['net_d', 'net_d_time0', 'net_d_time1']))
train_cfg = dict(type='IterLoop', max_iters=200_000)
