"""About a minute on one CPU core: the color encoder of the lower body, on the people of the demo at 96x64."""
_base_ = ['colors_up.py']

train_dataloader = dict(dataset=dict(transforms=[dict(type='RecolorGarments', region='down', per='frame')]))
model = dict(encoder=dict(region='down', encoder=dict(nz=8)))
