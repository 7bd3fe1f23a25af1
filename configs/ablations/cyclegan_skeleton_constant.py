"""A constant weight of the skeleton loss instead of one that follows the other losses."""
_base_ = '../cyclegan_skeleton.py'
model = dict(losses=dict(skeleton=dict(weight=5.0)), auto_weight=None)
