"""Video generator with color codes tiled beside the input, and no norm after the first convolutions, so that they get through.

z stands beside F and the previous frame: 31 input channels.
"""
_base_ = '../stage2_colors.py'
model = dict(generator=dict(z_injection='stem_nonorm'))
