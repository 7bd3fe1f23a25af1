"""The color encoder of the upper body by the literal reading of paper A, beside actors_up.py and on as many pictures.

What is literal: ablations/stage1_literal.py. The encoder averages over the whole picture, because squares of 8 x 8 cells do not fit
into pictures this small.
"""
_base_ = ['actors_up.py']

model = dict(
    encoder=dict(sees='whole', encoder=dict(norm='instance', init='xavier', logvar_bias=0.0)),
    losses=dict(region=dict(weight=0.0), kl=dict(reduction='sum')))
train_dataloader = dict(batch_size=2)
_lr = dict(optimizer=dict(lr=2e-4))
optim_wrapper = dict(g=_lr, e=_lr, d=_lr)
param_scheduler = [dict(type='LinearLR', start_factor=1.0, end_factor=0.1, begin=880, end=1440)]
train_cfg = dict(max_iters=1440)
default_hooks = dict(checkpoint=dict(interval=480))
