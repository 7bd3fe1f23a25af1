"""Video generator whose color codes modulate the maps of the last up-convolution; the last convolution spreads them by three pixels."""
_base_ = '../stage2_colors.py'
model = dict(generator=dict(z_injection='last_film'))
