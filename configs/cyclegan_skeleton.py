"""CycleGAN with skeleton consistency (paper B): input and output must give a frozen pose network the same maps.

The weight of the skeleton loss is set during the first two epochs, so that its gradient at the generated pictures is half as long as
that of all other losses, and then stays. At equal values of the losses its gradient would be ten to a hundred times longer than theirs.
"""
_base_ = 'cyclegan.py'

model = dict(
    losses=dict(skeleton=dict(
        type='SkeletonLoss', pose_network=dict(type='OpenPoseMobile'), maps='heat+paf', scales=(1, 2, 4, 8), weight='auto_freeze')),
    auto_weight=dict(ratio=0.5, freeze_at=2400))
