"""Video generator with color codes tiled beside the input, the literal reading of paper A: instance norm removes them altogether.

z stands beside F and the previous frame: 31 input channels.
"""
_base_ = '../stage2_colors.py'
model = dict(generator=dict(z_injection='tile'))
