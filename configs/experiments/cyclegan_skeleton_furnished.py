"""CycleGAN between two actors in furnished rooms with skeleton consistency; furnished_pose_network.py is trained first."""
_base_ = 'cyclegan_furnished.py'

model = dict(losses=dict(skeleton=dict(
    type='SkeletonLoss', pose_network=dict(type='TrainedPoseNetwork', checkpoint='work_dirs/furnished_pose_network'),
    scales=(2, 4, 8, 16), min_side=None, cache=2000, weight=30.0)))
needs = dict(pose_network=dict(
    part='model.losses.skeleton.pose_network.checkpoint', config='{{fileDirname}}/furnished_pose_network.py'))
