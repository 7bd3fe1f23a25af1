"""A quarter of an hour on two CPU cores: one prepared clip of your own, about as small as 192x128. Its last quarter is held out.

    python tools/prepare_data.py squats.mp4 --out data/mine
    python tools/train.py configs/own/video.py --fast

A short clip is learned by heart sooner than its person: random content frames vary the edges, and the perceptual loss weighs most.
"""
_base_ = ['../demo/synthetic.py']

_held_out = (0.75, 1.0)
data = dict(root='data/mine', pixels=192 * 128, split_rule=None, synthetic=None)
train_dataloader = dict(dataset=dict(split=None, exclude=_held_out, content='random'))
test_dataloader = dict(dataset=dict(split=None, frames=_held_out, content=0))
custom_hooks = [dict(type='GenerateHook', interval=500, max_frames=24)]

model = dict(
    discriminator=dict(ndf=32),
    losses=dict(perceptual=dict(weight=20.0, download=True), person=dict(weight=0.0)),
    channels_last=True)
optim_wrapper = dict(g=dict(optimizer=dict(lr=5e-4)), d=dict(optimizer=dict(lr=5e-4)))
param_scheduler = dict(begin=900, end=1800)
train_cfg = dict(max_iters=1800)
default_hooks = dict(checkpoint=dict(interval=600))
