"""A quarter of an hour on one CPU core: the video generator with colors on six actors at 128x96, to measure how it obeys the codes.

With the weights of a perceptual network (torchvision's SqueezeNet is enough) in TOOLKIT_WEIGHTS the pictures get sharper.
"""
_base_ = ['../demo/colors.py']

data = dict(
    root='data/demo_actors', synthetic=dict(height=128, width=96, actors=[0, 3, 5, 9, 10, 12], actions=16, frames=24),
    split_rule=dict(train_actions_per_person=12, train_fraction=0.75))
train_dataloader = dict(
    batch_size=4, dataset=dict(transforms=[dict(type='RecolorGarments', region='both', per='clip', keep=0.1)]))
custom_hooks = []
model = dict(
    discriminator=dict(ndf=32),
    losses=dict(
        perceptual=dict(weight=10.0, download=False), l1=dict(weight=0.0), person=dict(weight=20.0, cell=8)),
    color_codes=dict(up='work_dirs/actors_up', down='work_dirs/actors_down'))
train_cfg = dict(max_iters=1000)
param_scheduler = dict(begin=400, end=1000)
needs = dict(up=dict(config='{{fileDirname}}/actors_up.py'), down=dict(config='{{fileDirname}}/actors_down.py'))
