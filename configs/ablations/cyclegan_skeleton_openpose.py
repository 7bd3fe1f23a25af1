"""Skeleton consistency by the full OpenPose network, as in paper B; its weights are for non-commercial use; bring them along."""
_base_ = '../cyclegan_skeleton.py'
model = dict(losses=dict(skeleton=dict(pose_network=dict(type='OpenPose'))))
