"""CycleGAN between two persons of your own with skeleton consistency by OpenPoseMobile, which knows real people.

Clips as for transfer.py. Without the weights of OpenPoseMobile a small pose network is trained first, on the clips of both persons.
The loss has the settings of cyclegan_skeleton_openpose.py.
"""
_base_ = 'transfer.py'

model = dict(
    losses=dict(skeleton=dict(
        type='SkeletonLoss', pose_network=dict(type='OpenPoseMobile'), maps='heat+paf', stage=3, scales=(1, 2, 4, 8),
        min_side=128, cache=2000, weight=20.0)))
needs = dict(pose_network=dict(
    part='model.losses.skeleton.pose_network', config='{{fileDirname}}/../experiments/transfer_pose_network.py',
    use=dict(type='TrainedPoseNetwork'), also={'model.losses.skeleton.stage': None, 'model.losses.skeleton.min_side': None},
    shared=['train_dataloader.dataset.size', 'train_dataloader.dataset.a', 'train_dataloader.dataset.b']))
