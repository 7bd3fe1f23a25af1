"""Ten minutes on one CPU core: a pose network that knows the two actors of cyclegan.py at 96x64, for cyclegan_skeleton.py.

    python tools/train.py configs/experiments/transfer_pose_network.py --fast
    python tools/test.py configs/experiments/transfer_pose_network.py work_dirs/transfer_pose_network
"""
_base_ = ['../_base_/runtime.py', '../_base_/studio_actors.py', '../_base_/pose_training.py']

model = dict(channels_last=True)
train_dataloader = dict(batch_size=8)
train_cfg = dict(type='IterLoop', max_iters=2500)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, end=200), dict(type='CosineAnnealingLR', begin=200, end=2500, eta_min=0)]
default_hooks = dict(checkpoint=dict(interval=500, max_keep_ckpts=1), logger=dict(interval=50))
