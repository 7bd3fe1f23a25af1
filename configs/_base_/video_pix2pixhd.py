"""Model: the video generator of paper A, stage II, at the size of the paper."""
model = dict(
    type='VideoPix2PixHD',
    generator=dict(type='LocalEnhancer', ngf=32, n_down=4, n_blocks=9, n_enhancers=1, n_local_blocks=3),
    discriminator=dict(type='MultiscaleDiscriminator', ndf=64, n_layers=3, num_scales=3),
    losses=dict(
        gan=dict(type='GANLoss', objective='lsgan', weight=1.0),
        fm=dict(type='FeatureMatchingLoss', weight=10.0),
        perceptual=dict(type='PerceptualLoss', network='auto', download=True, weight=10.0),
        l1=dict(type='L1Loss', weight=0.0),
        person=dict(type='RegionL1Loss', weight=0.0)),
    feature_maps=dict(warper=dict(type='PartAffineWarper'), pose_channels='rendered', edge_channel='warped'),
    window=2,
    v0='zeros',
    ema=0.999)

optim_wrapper = dict(
    constructor='NetworkOptimizers',
    g=dict(networks=['net_g'], type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999))),
    d=dict(networks=['net_d'], type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4, betas=(0.5, 0.999))))
