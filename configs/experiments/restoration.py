"""Minutes on one CPU core: restoration of warped feature maps of two actors at 192x128; two actions of each are held out.

    python tools/train.py configs/experiments/restoration.py --fast
    python tools/test.py configs/experiments/restoration.py work_dirs/restoration/iter_0000500.pth --baselines

For so few iterations the network works at half instead of a quarter of the size, and the adversarial loss weighs a tenth: at its full
weight the L1 loss falls more slowly.
"""
_base_ = ['../feature_restoration.py']

data = dict(
    root='data/demo_restoration', synthetic=dict(height=192, width=128, actors=[1, 8], actions=8, frames=32),
    split_rule=dict(train_actions_per_person=6, train_fraction=0.75))
train_dataloader = dict(batch_size=4, dataset=dict(cache='decoded'))
custom_hooks = [dict(type='GenerateHook', interval=500, max_frames=24, clips=[0, 2])]

model = dict(
    generator=dict(ngf=16, n_down=1, n_blocks=3), discriminator=dict(ndf=16, n_layers=2), losses=dict(gan=dict(weight=0.1)),
    channels_last=True)
optim_wrapper = dict(g=dict(optimizer=dict(lr=1e-3)), d=dict(optimizer=dict(lr=1e-3)))
param_scheduler = [dict(type='ConstantThenLinearLR', constant=250, decay=250, epoch_iters=1)]
train_cfg = dict(max_iters=500)
default_hooks = dict(checkpoint=dict(interval=500), logger=dict(interval=50))
