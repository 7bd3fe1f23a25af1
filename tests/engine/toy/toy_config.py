_base_ = '../../../configs/_base_/runtime.py'
custom_imports = dict(imports=['toy_parts'])
model = dict(type='ToyGAN', noise=1.0, pool=4, dropout=0.2)
train_dataloader = dict(batch_size=2, num_workers=0, dataset=dict(type='ToyData', size=10))
val_dataloader = dict(batch_size=1, dataset=dict(type='ToyData', size=2))
val_evaluator = [dict(type='ToyMetric')]
val_cfg = dict(type='ValLoop')
train_cfg = dict(type='IterLoop', max_iters=8, val_interval=4)
optim_wrapper = dict(
    g=dict(networks=['net_g'], optimizer=dict(type='Adam', lr=1e-2, betas=(0.5, 0.999)), clip_grad=dict(max_norm=1.0)),
    d=dict(networks=['net_d'], optimizer=dict(type='Adam', lr=1e-2, betas=(0.5, 0.999))))
param_scheduler = [dict(type='LinearLR', start_factor=1.0, end_factor=0.1, begin=2, end=8)]
default_hooks = dict(logger=dict(interval=3), checkpoint=dict(interval=4))
visualizer = dict(vis_backends=[])
