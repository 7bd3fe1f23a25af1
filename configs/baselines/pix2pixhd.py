"""pix2pixHD, frame by frame from the stick figure, at 384x256: 30 epochs of about 10,000 frames, batch 1."""
_base_ = ['pix2pix.py']

model = dict(
    generator=dict(_delete_=True, type='GlobalGenerator', ngf=64, n_down=4, n_blocks=9),
    discriminator=dict(_delete_=True, type='MultiscaleDiscriminator', ndf=64, n_layers=3, num_scales=3),
    losses=dict(gan=dict(objective='lsgan'), fm=dict(weight=10.0), perceptual=dict(weight=10.0), l1=dict(weight=0.0)))

train_cfg = dict(max_iters=300_000)
param_scheduler = []
