"""The same with skeleton consistency by OpenPoseMobile, which knows real people; see cyclegan_skeleton_openpose.py."""
_base_ = 'own_transfer.py'

model = dict(
    losses=dict(skeleton=dict(
        type='SkeletonLoss', pose_network=dict(type='OpenPoseMobile'), maps='heat+paf', stage=3, scales=(1, 2, 4, 8),
        min_side=128, cache=2000, weight=20.0)))
