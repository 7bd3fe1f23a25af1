"""The colour encoder of the lower body (paper A, stage I); a code of 8 instead of 16."""
_base_ = 'stage1_bicyclegan_up.py'

model = dict(encoder=dict(region='down', encoder=dict(nz=8)))
