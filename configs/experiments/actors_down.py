"""Three minutes on one CPU core: the color encoder of the lower body on six actors at 128x96, to measure what it knows."""
_base_ = ['actors_up.py']

train_dataloader = dict(dataset=dict(transforms=[dict(type='RecolorGarments', region='down', per='frame')]))
model = dict(encoder=dict(region='down', encoder=dict(nz=8)))
