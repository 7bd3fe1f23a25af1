"""The gradient of the skeleton loss at the pictures, not its value, is half of that of the other losses; too little in small trials."""
_base_ = '../cyclegan_skeleton.py'
model = dict(auto_weight=dict(by='gradient', ratio=0.5))
