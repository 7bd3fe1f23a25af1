"""Color encoder by BicycleGAN's own update scheme: a second pass from a random code, with its own discriminator and regression."""
_base_ = '../stage1_bicyclegan_up.py'

model = dict(scheme='official', losses=dict(gan2=dict(type='GANLoss', objective='lsgan', weight=1.0)))
optim_wrapper = dict(
    d2=dict(networks=['net_d2'], type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999))))
