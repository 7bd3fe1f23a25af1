"""Video generator that starts from a black frame, as the paper says, instead of a mid-gray one, as the official codes do."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(v0='black')
