"""The full OpenPose network, as in paper B; its weights are for non-commercial use and must be brought along."""
_base_ = '../cyclegan_skeleton.py'
model = dict(losses=dict(skeleton=dict(pose_network=dict(type='OpenPose'))))
