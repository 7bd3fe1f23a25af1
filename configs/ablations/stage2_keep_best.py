"""Video generator with validation during training: the checkpoint with the best SSIM is kept.

It is measured on two actions that are neither trained on nor tested.
"""
_base_ = '../stage2_pix2pixhd.py'
_validated = ['clap', 'squat']
_trained = [
    'wave_right', 'wave_both', 'salute', 'arms_up', 'side_step', 'jumping_jack', 'march', 'side_bend', 'punch', 'lunge', 'hip_twist',
    'point_left', 'kick', 'bow']
train_dataloader = dict(dataset=dict(actions=_trained))
val_dataloader = dict(dataset=dict(split='train', actions=_validated))
val_evaluator = [dict(type='SSIM'), dict(type='LPIPS', net='auto')]
val_cfg = dict(clips=8, max_frames=24)
train_cfg = dict(val_interval=5000)
default_hooks = dict(checkpoint=dict(save_best='ssim/crop'))
