"""Video generator without the perceptual loss."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(losses=dict(perceptual=dict(weight=0.0)))
