"""Color encoder without the L1 inside the recolored region."""
_base_ = '../stage1_bicyclegan_up.py'

model = dict(losses=dict(region=dict(weight=0.0)))
