"""Skeleton consistency weighted by its gradient at the pictures, not by its value: half of that of the other losses.

In small trials that was too little.
"""
_base_ = '../cyclegan_skeleton.py'
model = dict(auto_weight=dict(by='gradient', ratio=0.5))
