"""The video generator of the first paper, tiny, with previews and validation: seconds on one core."""
_base_ = ['../../configs/_base_/runtime.py', '../../configs/_base_/video_pix2pixhd.py', '../../configs/_base_/evaluation.py']

train_cfg = dict(type='IterLoop', max_iters=10, val_interval=5)
_data = dict(type='ClipWindows', root='people')
train_dataloader = dict(
    batch_size=1, num_workers=0,
    dataset=dict(_data, window=2, actions=['wave_right'], content='random', transforms=[dict(type='RecolorGarments')]))
test_dataloader = dict(batch_size=1, num_workers=0, dataset=dict(_data, window=None, actions=['wave_both']))
val_evaluator = [dict(type='SSIM')]
val_cfg = dict(max_frames=4)
test_evaluator = [dict(type='PSNR'), dict(type='SSIM')]
model = dict(
    generator=dict(_delete_=True, type='GlobalGenerator', ngf=4, n_down=2, n_blocks=1),
    discriminator=dict(ndf=4, num_scales=1, n_layers=2),
    losses=dict(perceptual=dict(weight=0.0, network='off')))
custom_hooks = [dict(type='GenerateHook', interval=4, max_frames=3, clips=[0])]
default_hooks = dict(logger=dict(interval=3), checkpoint=dict(interval=2, max_keep_ckpts=2, save_best='ssim/full'))
