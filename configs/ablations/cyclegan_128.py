"""CycleGAN at 128x128 pixels with 6 residual blocks, as both papers do for small pictures."""
_base_ = '../cyclegan.py'
model = dict(generator=dict(n_blocks=6))
data = dict(size=(128, 128))
