"""Model: restoration of warped feature maps (paper A, section 2.3)."""
model = dict(
    type='FeatureRestoration',
    generator=dict(type='RestorationNetwork', ngf=64, n_down=2, n_blocks=6, sees='all', residual=True),
    discriminator=dict(type='PatchGAN', ndf=64, n_layers=3),
    losses=dict(
        gan=dict(type='GANLoss', objective='lsgan', weight=1.0),
        l1=dict(type='FeatureMapL1Loss', edge_weight=4.0, mask_weight=2.0, weight=10.0),
        fm=dict(type='FeatureMatchingLoss', weight=0.0)),
    warper=dict(type='PartAffineWarper'))

_adam = dict(type='Adam', lr=2e-4, betas=(0.5, 0.999))
optim_wrapper = dict(
    constructor='NetworkOptimizers',
    g=dict(networks=['net_g'], type='OptimWrapper', optimizer=_adam),
    d=dict(networks=['net_d'], type='OptimWrapper', optimizer=_adam))

test_evaluator = [dict(type='FeatureMapError')]
test_cfg = dict()
