"""Video generator with the edges of the target frames themselves instead of warped ones: an upper bound."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(feature_maps=dict(edge_channel='real'))
