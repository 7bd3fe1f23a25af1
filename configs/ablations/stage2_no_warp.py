"""Video generator without warped edges: it sees the stick figure alone."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(feature_maps=dict(edge_channel='none'))
