"""Everybody Dance Now at 384x256: 5 epochs global, 30 local, 5 for the face, each of about 10,000 pairs, batch 1."""
_base_ = ['../_base_/runtime.py', '../_base_/synthetic_actions.py', '../_base_/gan_optimizers.py', '../_base_/evaluation.py']

_vgg = dict(type='PerceptualLoss', network='auto', download=True, weight=10.0)
model = dict(
    type='EverybodyDanceNow',
    generator=dict(ngf=32, n_down=4, n_blocks=9, n_enhancers=1, n_local_blocks=3),
    discriminator=dict(type='MultiscaleDiscriminator', ndf=64, n_layers=3, num_scales=3),
    face_generator=dict(type='GlobalGenerator', ngf=64, n_down=3, n_blocks=5),
    face_discriminator=dict(type='MultiscaleDiscriminator', ndf=64, n_layers=3, num_scales=1, norm='batch'),
    face_size=64,
    losses=dict(
        gan=dict(type='GANLoss', objective='lsgan', weight=1.0),
        fm=dict(type='FeatureMatchingLoss', of='gan', weight=10.0),
        perceptual=dict(_vgg, of='frames'),
        l1=dict(type='L1Loss', of='frames', weight=0.0),
        face=dict(type='GANLoss', objective='lsgan', weight=1.0),
        face_perceptual=dict(_vgg, of='face_frames')),
    stages=(0.125, 0.875))

optim_wrapper = dict(
    g=dict(networks=['net_g', 'net_g_coarse', 'net_g_face']), d=dict(networks=['net_d', 'net_d_face']))
train_cfg = dict(type='IterLoop', max_iters=400_000)
