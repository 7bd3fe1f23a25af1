"""The video generator of paper A with colors, in minutes on two CPU cores: recolored clothes, and the encoders of stage I.

    python tools/train.py configs/demo/colors_up.py && python tools/train.py configs/demo/colors_down.py
    python tools/train.py configs/demo/colors.py
"""
_base_ = ['synthetic.py']

train_dataloader = dict(dataset=dict(transforms=[dict(type='RecolorGarments', region='both', per='clip', keep=0.3)]))
model = dict(
    generator=dict(z_injection='region_rgb'),
    color_codes=dict(up='work_dirs/colors_up', down='work_dirs/colors_down'))
train_cfg = dict(max_iters=1700)
param_scheduler = dict(begin=700, end=1700)
needs = dict(
    up=dict(part='model.color_codes.up', config='{{fileDirname}}/colors_up.py'),
    down=dict(part='model.color_codes.down', config='{{fileDirname}}/colors_down.py'))
