"""Video generator without color codes on people who are recolored: nothing tells it the color of a garment, so it paints their mean."""
_base_ = '../stage2_pix2pixhd.py'
train_dataloader = dict(dataset=dict(transforms=[dict(type='RecolorGarments', region='both', per='clip')]))
