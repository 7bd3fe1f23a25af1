"""Minutes on two CPU cores: one prepared clip of your own, about as small as 192x128, whose pixels the generator copies.

    python tools/prepare_data.py squats.mp4 --out data/mine
    python tools/train.py configs/own/textured.py --fast

Its last quarter is held out; for it references are taken from the rest. Before any training the generator already copies the nearest
frame, part by part: it learns where to look elsewhere, and to paint what no frame shows.
"""
_base_ = ['video.py']

_held_out = (0.75, 1.0)
data = dict(references=dict(count=2, figure=True), plate=True)
test_dataloader = dict(dataset=dict(references=dict(pool=dict(exclude=_held_out))))
custom_hooks = [dict(type='GenerateHook', interval=200, max_frames=24)]

model = dict(
    generator=dict(_delete_=True, type='BlendGenerator', generator=dict(type='GlobalGenerator', ngf=24, n_down=3, n_blocks=4)),
    feature_maps=dict(references=2, plate=True, texture_fill=True),
    discriminator_view=dict(crop='person', background=False))
param_scheduler = dict(begin=200, end=400)
train_cfg = dict(max_iters=400)
default_hooks = dict(checkpoint=dict(interval=200))
