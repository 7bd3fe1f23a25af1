"""Upper bound: the edges of the target frames themselves instead of warped ones."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(feature_maps=dict(edge_channel='real'))
