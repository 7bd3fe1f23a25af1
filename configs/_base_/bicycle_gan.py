"""Model: BicycleGAN as paper A's stage I uses it, with the settings that were measured to make the code carry color."""
model = dict(
    type='BicycleGAN',
    scheme='paper',
    encoder=dict(
        type='RegionEncoder', region='up', sees='region',
        encoder=dict(type='ResNetEncoder', nz=16, n_down=5, norm='none', init='kaiming', logvar_bias=-4.0, pooling='adaptive')),
    generator=dict(type='UNet', n_down=7, ngf=64, z_injection='all', norm='instance'),
    discriminator=dict(type='BicycleDiscriminator', ndf=64, n_layers=3, num_scales=2),
    losses=dict(
        gan=dict(type='GANLoss', objective='lsgan', weight=1.0),
        l1=dict(type='L1Loss', weight=10.0),
        region=dict(type='RegionL1Loss', weight=10.0),
        kl=dict(type='KLLoss', reduction='batch_mean', weight=0.01),
        z=dict(type='L1Loss', weight=0.5)),
    feature_maps=dict(edge_channel='real'),
    conditional=False)

_adam = dict(type='Adam', lr=2e-4, betas=(0.5, 0.999))
optim_wrapper = dict(
    constructor='NetworkOptimizers',
    g=dict(networks=['net_g'], type='OptimWrapper', optimizer=_adam),
    e=dict(networks=['net_e'], type='OptimWrapper', optimizer=_adam),
    d=dict(networks=['net_d'], type='OptimWrapper', optimizer=_adam))
