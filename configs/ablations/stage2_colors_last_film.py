"""The codes modulate the maps of the last up-convolution, which the last convolution spreads by three pixels."""
_base_ = '../stage2_colors.py'
model = dict(generator=dict(z_injection='last_film'))
