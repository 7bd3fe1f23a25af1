"""A quarter of an hour on two CPU cores: the video generator with colors on several clips of your own, about as small as 192x128.

    python tools/prepare_data.py me_*.mp4 --out data/mine --person me
    python tools/train.py configs/own/video_colors_up.py && python tools/train.py configs/own/video_colors_down.py
    python tools/train.py configs/own/video_colors.py

A quarter of the clips is held out for tests. For one long clip see video.py.
"""
_base_ = ['../demo/colors.py']

data = dict(
    root='data/mine', pixels=192 * 128, synthetic=None, split_rule=dict(train_actions_per_person=10**6, train_fraction=0.75))
train_dataloader = dict(dataset=dict(content='random'))
model = dict(color_codes=dict(up='work_dirs/video_colors_up', down='work_dirs/video_colors_down'))
needs = dict(up=dict(config='{{fileDirname}}/video_colors_up.py'), down=dict(config='{{fileDirname}}/video_colors_down.py'))
