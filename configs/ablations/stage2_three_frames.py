"""Video generator on windows of three frames instead of two."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(window=3)
train_dataloader = dict(dataset=dict(window=3))
