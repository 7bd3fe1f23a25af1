"""Minutes on two CPU cores: a small and fast student of a trained generator, for one person. It is what runs live.

    python tools/prepare_data.py me.mp4 --out data/mine
    python tools/train.py configs/own/student.py --fast
    python tools/live.py --person work_dirs/student --camera 0

Its teacher, by default the generator that comes with the toolkit, paints the person in movements that are drawn and never run out: its
own, its own with limbs turned, and those of the synthetic actions. The student has .8 million parameters, 1.6 MB in half precision. It
copies from the same references, and takes no edges. A teacher that was fine-tuned on the person is better:
--cfg-options train_dataloader.dataset.teacher=work_dirs/me. The last quarter of each clip is held out.
"""
_base_ = ['../pretrain_textured.py']

_held_out = (0.75, 1.0)
data = dict(root='data/mine', pixels=192 * 128, plate=True)
train_dataloader = dict(
    num_workers=1, persistent_workers=True,
    dataset=dict(
        _delete_=True, type='TaughtWindows', teacher='hvt::pretrained/textured.safetensors', window=2, content='random',
        exclude=_held_out, references=dict(count=2, figure=True)))
test_dataloader = dict(dataset=dict(
    _delete_=True, type='ClipWindows', window=None, content=0, frames=_held_out,
    references=dict(count=2, figure=True, pool=dict(exclude=_held_out))))
custom_hooks = [dict(type='GenerateHook', interval=300, max_frames=32)]

model = dict(
    discriminator=None,
    generator=dict(_delete_=True, type='BlendGenerator', generator=dict(type='CompactGenerator')),
    feature_maps=dict(edge_channel='none'),
    losses=dict(gan=dict(weight=0.0), fm=dict(weight=0.0), perceptual=dict(weight=20.0), l1=dict(weight=10.0)),
    discriminator_view=None,
    ema=0.99)
optim_wrapper = dict(
    _delete_=True, constructor='NetworkOptimizers',
    g=dict(networks=['net_g'], type='OptimWrapper', optimizer=dict(type='Adam', lr=1e-3, betas=(0.5, 0.999))))
param_scheduler = dict(begin=300, end=600)
train_cfg = dict(max_iters=600)
default_hooks = dict(checkpoint=dict(interval=200), logger=dict(interval=20))
