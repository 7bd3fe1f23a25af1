"""Model: CycleGAN with its published settings at 256 pixels."""
model = dict(
    type='CycleGAN',
    generator=dict(type='ResNetGenerator', ngf=64, n_blocks=9),
    discriminator=dict(type='PatchGAN', ndf=64, n_layers=3),
    losses=dict(
        gan=dict(type='GANLoss', objective='lsgan', weight=1.0),
        cycle=dict(type='L1Loss', weight=10.0),
        identity=dict(type='L1Loss', weight=0.0)),
    pool_size=50)

_adam = dict(type='Adam', lr=2e-4, betas=(0.5, 0.999))
optim_wrapper = dict(
    constructor='NetworkOptimizers',
    g=dict(networks=['net_g_ab', 'net_g_ba'], type='OptimWrapper', optimizer=_adam),
    d=dict(networks=['net_d_a', 'net_d_b'], type='OptimWrapper', optimizer=_adam))
