"""A small pose network that stands in for a published one in configs/cyclegan_skeleton.py.

    python tools/train.py configs/quick_pose_network.py

It learns from the poses of the training clips, with half of the channels of pose_network.py and a tenth of its samples. Wide peaks and
no disturbed pictures make it learn fast. How good it is is not measured yet: after 700 of its 4,000 iterations it found a tenth of
the limbs. For results that count take published weights, or train pose_network.py.
"""
_base_ = 'pose_network.py'

model = dict(network=dict(widths=(16, 32, 48, 64, 64)), sigma=10.0, limb_width=8.0, augmentation=None)
optim_wrapper = dict(h=dict(optimizer=dict(lr=3e-3)))

train_dataloader = dict(batch_size=4)
train_cfg = dict(max_iters=4000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=200), dict(type='CosineAnnealingLR', begin=200, end=4000, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=500, max_keep_ckpts=1), logger=dict(interval=250))
