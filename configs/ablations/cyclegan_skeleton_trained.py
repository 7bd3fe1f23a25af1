"""Skeleton consistency by a pose network that was trained on the two persons (configs/pose_network.py), not a published one."""
_base_ = '../cyclegan_skeleton.py'

model = dict(losses=dict(skeleton=dict(
    pose_network=dict(_delete_=True, type='TrainedPoseNetwork', checkpoint='work_dirs/pose_network'), scales=(2, 4, 8, 16))))
needs = dict(pose_network=dict(
    _delete_=True, part='model.losses.skeleton.pose_network.checkpoint', config='{{fileDirname}}/../pose_network.py'))
