"""Textured generator with a second discriminator that sees head and hands, enlarged."""
_base_ = '../textured.py'
model = dict(
    detail_crops=dict(size=64),
    detail_discriminator=dict(type='MultiscaleDiscriminator', ndf=32, n_layers=3, num_scales=1),
    losses=dict(
        fm=dict(of='gan'),
        details=dict(type='GANLoss', objective='lsgan', weight=1.0),
        details_fm=dict(type='FeatureMatchingLoss', of='details', weight=5.0)))
optim_wrapper = dict(d=dict(networks=['net_d', 'net_d_details']))
