"""The color encoder of the upper body (paper A, stage I) at 384x256: 100 + 100 epochs of about 10,000 frames, batch 4."""
_base_ = ['_base_/runtime.py', '_base_/synthetic_actions.py', '_base_/bicycle_gan.py', '_base_/evaluation.py']

train_dataloader = dict(
    batch_size=4, dataset=dict(window=1, transforms=[dict(type='RecolorGarments', region='up', per='frame')]))
train_cfg = dict(type='IterLoop', max_iters=500_000)
param_scheduler = [dict(type='ConstantThenLinearLR', constant=100, decay=100, epoch_iters=2500)]
