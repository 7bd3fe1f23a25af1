"""About a minute on one CPU core: the color encoder of the upper body, on the people of the demo at 96x64."""
_base_ = ['../stage1_bicyclegan_up.py']

data = dict(
    root='data/demo_actions', size=(96, 64),
    synthetic=dict(height=192, width=128, actors=[1], actions=16, frames=48),
    split_rule=dict(train_actions_per_person=14, train_fraction=0.875))
train_dataloader = dict(batch_size=8, dataset=dict(cache='decoded'))
custom_hooks = []

model = dict(
    encoder=dict(size=(96, 64), encoder=dict(nef=32)),
    generator=dict(n_down=5, ngf=32),
    discriminator=dict(ndf=32))
_lr = dict(optimizer=dict(lr=1e-3))
optim_wrapper = dict(g=_lr, e=_lr, d=_lr)
param_scheduler = [dict(type='LinearLR', start_factor=1.0, end_factor=0.1, begin=150, end=300)]
train_cfg = dict(max_iters=300)
default_hooks = dict(checkpoint=dict(interval=100, max_keep_ckpts=1), logger=dict(interval=50))
