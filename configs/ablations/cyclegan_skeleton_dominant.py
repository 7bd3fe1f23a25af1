"""The skeleton loss twenty times as strong as the other losses: paper B reports poor pictures."""
_base_ = '../cyclegan_skeleton.py'
model = dict(auto_weight=dict(ratio=20.0))
