"""The color encoder of the lower body on prepared clips of your own; see video_colors.py."""
_base_ = ['video_colors_up.py']

train_dataloader = dict(dataset=dict(transforms=[dict(type='RecolorGarments', region='down', per='frame')]))
model = dict(encoder=dict(region='down', encoder=dict(nz=8)))
