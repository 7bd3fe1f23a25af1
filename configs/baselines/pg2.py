"""PG2 at 384x256: pairs of frames of one clip, 22,000 iterations of the coarse stage, 14,000 of the fine one, batch 8."""
_base_ = ['../_base_/runtime.py', '../_base_/synthetic_actions.py', '../_base_/gan_optimizers.py', '../_base_/evaluation.py']

model = dict(
    type='PG2',
    coarse=dict(ngf=64, n_down=6, code=64),
    fine=dict(ngf=64, n_down=4, code=0),
    discriminator=dict(type='PatchGAN', ndf=64, n_layers=3),
    losses=dict(
        coarse=dict(type='L1Loss', masked=True, weight=1.0),
        gan=dict(type='GANLoss', objective='vanilla', weight=1.0),
        l1=dict(type='L1Loss', of='frames', masked=True, weight=10.0)),
    refine_from=22 / 36)

_adam = dict(lr=2e-5)
optim_wrapper = dict(g=dict(networks=['net_g', 'net_g_fine'], optimizer=_adam), d=dict(optimizer=_adam))
train_dataloader = dict(batch_size=8, dataset=dict(window=1, content='random'))
train_cfg = dict(type='IterLoop', max_iters=36_000)
