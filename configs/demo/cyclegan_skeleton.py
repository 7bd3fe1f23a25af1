"""The same with skeleton consistency: input and output, enlarged to 288x192, must give OpenPoseMobile the same maps.

Needs ``openpose_mobilenet_v2_small.safetensors``; another pose network judges the result. The maps of the third of six stages find the
joints of these small people nearly as well as those of the last and cost a quarter less.
"""
_base_ = 'cyclegan.py'

model = dict(
    losses=dict(skeleton=dict(
        type='SkeletonLoss', pose_network=dict(type='OpenPoseMobile'), maps='heat+paf', stage=3, min_side=192, cache=2000,
        weight='auto_freeze')),
    auto_weight=dict(ratio=0.5, freeze_at=150))
