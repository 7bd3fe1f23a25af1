"""z tiled beside F and the previous frame, 31 input channels, and no norm after the first convolutions, so that z gets through."""
_base_ = '../stage2_colors.py'
model = dict(generator=dict(z_injection='stem_nonorm'))
