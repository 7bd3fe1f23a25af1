"""Video generator without feature matching."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(losses=dict(fm=dict(weight=0.0)))
