"""Three minutes on one CPU core: the color encoder of the upper body on six actors at 128x96, to measure what it knows."""
_base_ = ['../demo/colors_up.py']

data = dict(
    root='data/demo_actors', size=None, synthetic=dict(height=128, width=96, actors=[0, 3, 5, 9, 10, 12], actions=16, frames=24),
    split_rule=dict(train_actions_per_person=12, train_fraction=0.75))
model = dict(encoder=dict(size=None))
param_scheduler = [dict(type='LinearLR', start_factor=1.0, end_factor=0.1, begin=220, end=360)]
train_cfg = dict(max_iters=360)
default_hooks = dict(checkpoint=dict(interval=120))
