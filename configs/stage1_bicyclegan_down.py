"""The color encoder of the lower body (paper A, stage I); a code of 8 instead of 16."""
_base_ = 'stage1_bicyclegan_up.py'

train_dataloader = dict(dataset=dict(transforms=[dict(type='RecolorGarments', region='down', per='frame')]))
model = dict(encoder=dict(region='down', encoder=dict(nz=8)))
