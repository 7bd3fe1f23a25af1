"""The skeleton loss a tenth as strong as the other losses."""
_base_ = '../cyclegan_skeleton.py'
model = dict(auto_weight=dict(ratio=0.1))
