"""The skeleton loss twice as large as the other losses."""
_base_ = '../cyclegan_skeleton.py'
model = dict(auto_weight=dict(ratio=2.0))
