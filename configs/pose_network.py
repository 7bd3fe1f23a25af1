"""A pose network that knows the two persons of a transfer, at 256x256: 20,000 iterations of 16 frames, for SkeletonLoss.

    python tools/train.py configs/pose_network.py
    python tools/test.py configs/pose_network.py work_dirs/pose_network

It learns from the poses of the prepared clips. configs/ablations/cyclegan_skeleton_trained.py uses it. For videos of your own name
their folders as for cyclegan.py.
"""
_base_ = ['_base_/runtime.py', '_base_/two_actors.py', '_base_/pose_training.py']

model = dict(network=dict(widths=(32, 64, 96, 128, 128), stride=4, height=256), sigma=5.0, limb_width=4.0)
optim_wrapper = dict(h=dict(optimizer=dict(lr=2e-3)))

train_dataloader = dict(batch_size=8)
train_cfg = dict(type='IterLoop', max_iters=20_000)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=1000),
    dict(type='CosineAnnealingLR', begin=1000, end=20_000, eta_min=0)]
