"""Video generator on windows of one frame: no previous frame in training and a discriminator that sees single frames."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(window=1)
train_dataloader = dict(dataset=dict(window=1))
