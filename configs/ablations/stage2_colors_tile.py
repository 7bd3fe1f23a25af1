"""The literal reading of paper A: z tiled beside F and the previous frame, 31 input channels. Instance norm removes z altogether."""
_base_ = '../stage2_colors.py'
model = dict(generator=dict(z_injection='tile'))
