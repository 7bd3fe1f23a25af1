"""Video generator whose color codes modulate every layer of the decoder, not the last one alone."""
_base_ = '../stage2_colors.py'
model = dict(generator=dict(z_injection='region_film'))
