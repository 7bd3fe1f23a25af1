"""CycleGAN between the two actors of cyclegan.py with skeleton consistency: input and output must give a pose network the same maps.

The pose network is trained first, in ten minutes, on the training clips of both actors, and needs no download. Another pose estimator
measures the result:

    python tools/train.py configs/experiments/transfer_pose_network.py --fast
    python tools/train.py configs/experiments/cyclegan_skeleton.py --fast

Its maps are compared over squares of 4 to 32 pixels.
"""
_base_ = 'cyclegan.py'

model = dict(losses=dict(skeleton=dict(
    type='SkeletonLoss', pose_network=dict(type='TrainedPoseNetwork', checkpoint='work_dirs/transfer_pose_network'),
    scales=(2, 4, 8, 16), min_side=None, cache=2000, weight=30.0)))
needs = dict(
    pose_network=dict(part='model.losses.skeleton.pose_network.checkpoint', config='{{fileDirname}}/transfer_pose_network.py'))
