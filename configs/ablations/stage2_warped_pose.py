"""Video generator by the literal reading of paper A: the stick figure is warped from the content picture like the edges."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(feature_maps=dict(pose_channels='warped'))
