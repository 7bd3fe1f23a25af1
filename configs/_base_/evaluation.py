"""Evaluation: what tools/test.py measures on the clips of test_dataloader. The first judge of PCK that is installed is taken."""
test_evaluator = [
    dict(type='PSNR'),
    dict(type='SSIM'),
    dict(type='MSSSIM'),
    dict(type='LPIPS', net='auto'),
    dict(type='L1'),
    dict(type='Sharpness'),
    dict(type='PCK', estimators=['MediaPipePose', 'ConvolutionalPoseMachine']),
    dict(type='Temporal', net='auto'),
    dict(type='MaskArea'),
]
test_cfg = dict()
