"""The color encoder of the lower body by the literal reading of paper A, beside actors_down.py; see actors_up_literal.py."""
_base_ = ['actors_up_literal.py']

train_dataloader = dict(dataset=dict(transforms=[dict(type='RecolorGarments', region='down', per='frame')]))
model = dict(encoder=dict(region='down', encoder=dict(nz=8)))
