"""A minute on two CPU cores: the generator that comes with the toolkit, fine-tuned on clips of one person, about as small as 192x128.

    python tools/finetune.py me.mp4 more_of_me.mp4 --work-dir work_dirs/me      # prepares the videos, then trains this config

or, with clips that are prepared already:

    python tools/train.py configs/own/finetune.py --fast --cfg-options data.root=data/mine

The last quarter of each clip is held out. What is kept is the checkpoint that paints it best, and training ends when it gets no better.
vis/*.png in the work dir show it before and after. Discriminators begin anew.
"""
_base_ = ['../pretrain_textured.py']
load_from = 'hvt::pretrained/textured.safetensors'

_held_out = (0.75, 1.0)
data = dict(root='data/mine', pixels=192 * 128, plate=True)
train_dataloader = dict(dataset=dict(
    _delete_=True, type='ClipWindows', window=2, content='random', exclude=_held_out, references=dict(count=2, vary=True, figure=True)))
test_dataloader = dict(dataset=dict(
    _delete_=True, type='ClipWindows', window=None, content=0, frames=_held_out,
    references=dict(count=2, figure=True, pool=dict(exclude=_held_out))))
val_evaluator = [dict(type='LPIPS', net='auto'), dict(type='SSIM')]
val_cfg = dict(max_frames=32)
custom_hooks = [dict(type='GenerateHook', interval=1000, max_frames=32, before=True)]

model = dict(losses=dict(perceptual=dict(weight=20.0), l1=dict(weight=2.0)), ema=0.98)
param_scheduler = dict(begin=40, end=80)
train_cfg = dict(max_iters=80, val_interval=20)
default_hooks = dict(checkpoint=dict(interval=80, save_best='auto', patience=2), logger=dict(interval=10))
