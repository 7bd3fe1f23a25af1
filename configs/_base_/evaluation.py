"""Evaluation: what tools/test.py measures on the clips of test_dataloader. PCK takes the first pose estimator that is installed."""
test_evaluator = [
    dict(type='PSNR'),
    dict(type='SSIM'),
    dict(type='MSSSIM'),
    dict(type='LPIPS', net='auto'),
    dict(type='L1'),
    dict(type='Sharpness'),
    dict(type='PCK'),
    dict(type='Temporal', net='auto'),
    dict(type='MaskArea'),
]
test_cfg = dict()
