"""Minutes on two CPU cores: the video generator of paper A on one synthetic actor at 192x128; two actions are held out."""
_base_ = ['../_base_/runtime.py', '../_base_/synthetic_actions.py', '../_base_/video_pix2pixhd.py', '../_base_/evaluation.py']

data = dict(
    root='data/demo_actions', synthetic=dict(height=192, width=128, actors=[1], actions=16, frames=48),
    split_rule=dict(train_actions_per_person=14, train_fraction=0.875))
train_dataloader = dict(batch_size=2, dataset=dict(cache='decoded'))
custom_hooks = [dict(type='GenerateHook', interval=400, max_frames=24, clips=[0])]

model = dict(
    generator=dict(_delete_=True, type='GlobalGenerator', ngf=24, n_down=3, n_blocks=4),
    discriminator=dict(ndf=16, num_scales=2),
    losses=dict(perceptual=dict(weight=0.0, download=False), l1=dict(type='L1Loss', weight=10.0), person=dict(weight=10.0)),
    ema=0.99)

optim_wrapper = dict(g=dict(optimizer=dict(lr=4e-4)), d=dict(optimizer=dict(lr=2e-4)))
param_scheduler = dict(type='LinearLR', start_factor=1.0, end_factor=0.05, begin=1000, end=2000)
train_cfg = dict(type='IterLoop', max_iters=2000)
default_hooks = dict(checkpoint=dict(interval=250), logger=dict(interval=50))
