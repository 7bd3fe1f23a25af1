"""CycleGAN between two actors with skeleton consistency by OpenPoseMobile, which hardly knows people as small as these.

The table of docs/results.md has it beside cyclegan_skeleton.py. It needs ``openpose_mobilenet_v2_small.safetensors``. Pictures are
enlarged to a shorter side of 128; the maps of the third of six stages find the joints of small people nearly as well as those of the
last and cost a quarter less.
"""
_base_ = 'cyclegan.py'

model = dict(
    losses=dict(skeleton=dict(
        type='SkeletonLoss', pose_network=dict(type='OpenPoseMobile'), maps='heat+paf', stage=3, scales=(1, 2, 4, 8),
        min_side=128, cache=2000, weight=20.0)))
needs = dict(pose_network=dict(
    part='model.losses.skeleton.pose_network', config='{{fileDirname}}/transfer_pose_network.py', use=dict(type='TrainedPoseNetwork'),
    also={'model.losses.skeleton.stage': None, 'model.losses.skeleton.min_side': None},
    shared=['train_dataloader.dataset.size', 'train_dataloader.dataset.a', 'train_dataloader.dataset.b']))
