"""cVAE-GAN at 384x256, frame by frame: the code of a whole frame and the stick figure; 200,000 iterations, batch 4."""
_base_ = ['../_base_/runtime.py', '../_base_/synthetic_actions.py', '../_base_/gan_optimizers.py', '../_base_/evaluation.py']

model = dict(
    type='CVAEGAN',
    encoder=dict(type='ResNetEncoder', nz=16, n_down=5, norm='instance_but_first', pooling='adaptive'),
    generator=dict(type='UNet', n_down=7, ngf=64, z_injection='all'),
    discriminator=dict(type='BicycleDiscriminator', ndf=64, n_layers=3, num_scales=2),
    losses=dict(
        gan=dict(type='GANLoss', objective='lsgan', weight=1.0),
        l1=dict(type='L1Loss', weight=10.0),
        kl=dict(type='KLLoss', reduction='batch_mean', weight=0.01)))

optim_wrapper = dict(g=dict(networks=['net_g', 'net_e']))
train_dataloader = dict(batch_size=4, dataset=dict(window=1))
train_cfg = dict(type='IterLoop', max_iters=200_000)
