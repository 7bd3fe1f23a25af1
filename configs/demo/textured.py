"""A minute on two CPU cores: the generator that comes with the toolkit, fine-tuned on one synthetic actor; two actions are held out."""
_base_ = ['../own/finetune.py']

data = dict(
    root='data/demo_person', synthetic=dict(height=384, width=256, actors=[1], actions=16, frames=48),
    split_rule=dict(train_actions_per_person=14, train_fraction=0.875))
train_dataloader = dict(dataset=dict(split='train', exclude=None, cache='decoded'))
test_dataloader = dict(dataset=dict(split='test', frames=None, references=dict(count=2, pool=None)))
custom_hooks = [dict(type='GenerateHook', interval=1000, max_frames=32, clips=[0], before=True)]
model = dict(losses=dict(perceptual=dict(download=False)))
train_cfg = dict(max_iters=80, val_interval=40)
param_scheduler = dict(begin=40, end=80)
default_hooks = dict(checkpoint=dict(interval=40))
