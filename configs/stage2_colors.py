"""The video generator with color codes (paper A, stage II): both garments of each window recolored alike, the encoders frozen.

    python tools/train.py configs/stage1_bicyclegan_up.py && python tools/train.py configs/stage1_bicyclegan_down.py
    python tools/train.py configs/stage2_colors.py
"""
_base_ = 'stage2_pix2pixhd.py'

train_dataloader = dict(dataset=dict(transforms=[dict(type='RecolorGarments', region='both', per='clip')]))
model = dict(
    generator=dict(z_injection='region_rgb'),
    color_codes=dict(up='work_dirs/stage1_bicyclegan_up', down='work_dirs/stage1_bicyclegan_down'))
needs = dict(
    up=dict(part='model.color_codes.up', config='{{fileDirname}}/stage1_bicyclegan_up.py'),
    down=dict(part='model.color_codes.down', config='{{fileDirname}}/stage1_bicyclegan_down.py'))
