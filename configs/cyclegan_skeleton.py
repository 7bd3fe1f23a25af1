"""CycleGAN with skeleton consistency (paper B): input and output must give a frozen pose network the same maps.

The weight of the skeleton loss is set during the first two epochs, so that its value is a twentieth of that of all other losses, and
then stays. The maps are compared over squares of 1, 2, 4 and 8 cells; cell by cell alone, as published, nobody is better than a person
who is a few pixels off.

Where the weights of the pose network are not found, a small one is trained first on the training clips, with quick_pose_network.py.
"""
_base_ = 'cyclegan.py'

model = dict(
    losses=dict(skeleton=dict(
        type='SkeletonLoss', pose_network=dict(type='OpenPoseMobile'), maps='heat+paf', scales=(1, 2, 4, 8), weight='auto_freeze')),
    auto_weight=dict(by='loss', ratio=0.05, freeze_at=2400))
needs = dict(pose_network=dict(
    part='model.losses.skeleton.pose_network', config='{{fileDirname}}/quick_pose_network.py', use=dict(type='TrainedPoseNetwork'),
    shared=['train_dataloader.dataset.a', 'train_dataloader.dataset.b']))
