"""With restored feature maps (train configs/feature_restoration.py first); real ones for half of the samples in 5 of 30 epochs."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(feature_maps=dict(restoration='work_dirs/feature_restoration'), curriculum=dict(probability=0.5, iterations=50_000))
needs = dict(
    restoration=dict(part='model.feature_maps.restoration', config='{{fileDirname}}/../feature_restoration.py'))
