"""CycleGAN between two actors, one a third smaller than the other, the trap that paper B warns of, with and without skeleton scaling.

    python tools/train.py configs/experiments/cyclegan_heights.py --fast
    python tools/train.py configs/experiments/cyclegan_heights.py --fast --work-dir work_dirs/not_scaled \\
        --cfg-options model.skeleton_scaling=False
"""
_base_ = 'cyclegan_skeleton.py'

data = dict(b=dict(root='data/demo_studio_08_small', synthetic=dict(stature=0.8)))
model = dict(skeleton_scaling=True)
train_dataloader = dict(dataset=dict(anchors=True))
test_evaluator = [
    dict(type='PCK', against='real', estimators=['MediaPipePose', 'ConvolutionalPoseMachine']),
    dict(type='Identity', estimators=['MediaPipePose', 'ConvolutionalPoseMachine']),
    dict(type='PSNR', protocols=['full', 'crop']),
    dict(type='L1', protocols=['full', 'crop']),
]
