"""The video generator with colours, in minutes on two CPU cores: the parent's, on recoloured clothes, with the encoders of stage I.

    python tools/train.py configs/demo/colours_up.py && python tools/train.py configs/demo/colours_down.py
    python tools/train.py configs/demo/colours.py
"""
_base_ = ['synthetic.py']

train_dataloader = dict(dataset=dict(transforms=[dict(type='RecolorGarments', region='both', per='clip', keep=0.3)]))
model = dict(
    generator=dict(z_injection='region_rgb'),
    colour_codes=dict(up='work_dirs/colours_up', down='work_dirs/colours_down'))
train_cfg = dict(max_iters=1700)
param_scheduler = dict(begin=700, end=1700)
needs = dict(
    up=dict(part='model.colour_codes.up', config='{{fileDirname}}/colours_up.py'),
    down=dict(part='model.colour_codes.down', config='{{fileDirname}}/colours_down.py'))
