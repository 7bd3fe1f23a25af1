"""Video generator with restored feature maps; configs/feature_restoration.py is trained first.

Half of the samples in 5 of 30 epochs have real ones.
"""
_base_ = '../stage2_pix2pixhd.py'
model = dict(feature_maps=dict(restoration='work_dirs/feature_restoration'), curriculum=dict(probability=0.5, iterations=50_000))
needs = dict(
    restoration=dict(part='model.feature_maps.restoration', config='{{fileDirname}}/../feature_restoration.py'))
