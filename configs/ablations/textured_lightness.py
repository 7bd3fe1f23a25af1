"""Textured generator with color codes: of the garments of references the lightness alone is taken.

    python tools/train.py configs/stage1_bicyclegan_up.py && python tools/train.py configs/stage1_bicyclegan_down.py
    python tools/train.py configs/ablations/textured_lightness.py
"""
_base_ = '../textured.py'
data = dict(references=dict(garments=True))
train_dataloader = dict(dataset=dict(transforms=[dict(type='RecolorGarments', region='both', per='clip')]))
model = dict(
    generator=dict(generator=dict(z_injection='region_rgb')),
    feature_maps=dict(texture_lightness=True),
    color_codes=dict(up='work_dirs/stage1_bicyclegan_up', down='work_dirs/stage1_bicyclegan_down'))
needs = dict(
    up=dict(part='model.color_codes.up', config='{{fileDirname}}/../stage1_bicyclegan_up.py'),
    down=dict(part='model.color_codes.down', config='{{fileDirname}}/../stage1_bicyclegan_down.py'))
