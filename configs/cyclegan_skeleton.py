"""CycleGAN with skeleton consistency (paper B): input and output must give a frozen pose network the same maps.

The weight of the skeleton loss is set during the first two epochs, so that its value is a twentieth of that of all other losses, and
then stays. The maps are compared over squares of 1, 2, 4 and 8 cells; cell by cell alone, as published, nobody is better than a person
who is a few pixels off.
"""
_base_ = 'cyclegan.py'

model = dict(
    losses=dict(skeleton=dict(
        type='SkeletonLoss', pose_network=dict(type='OpenPoseMobile'), maps='heat+paf', scales=(1, 2, 4, 8), weight='auto_freeze')),
    auto_weight=dict(by='loss', ratio=0.05, freeze_at=2400))
