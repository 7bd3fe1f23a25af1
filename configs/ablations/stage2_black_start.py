"""The frame before the first is black, as the paper says, instead of mid-gray, as the official codes do."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(v0='black')
