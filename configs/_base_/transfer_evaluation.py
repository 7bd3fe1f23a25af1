"""Evaluation of a transfer between two persons. Movement is compared with the input's, pictures with the truth where it is known.

The first judge that is installed and that the model was not trained against is taken, the same for PCK and Identity. In frames of less
than about 200 pixels ConvolutionalPoseMachine finds no joints even of real people: read PCK beside its ceiling.
"""
_protocols = ['full', 'crop']
_judges = ['MediaPipePose', 'ConvolutionalPoseMachine']
test_evaluator = [
    dict(type='PCK', against='input', estimators=_judges),
    dict(type='Identity', estimators=_judges),
    dict(type='Temporal', against='input', net='auto'),
    dict(type='FID'),
    dict(type='PSNR', protocols=_protocols),
    dict(type='SSIM', protocols=_protocols),
    dict(type='LPIPS', net='auto', protocols=_protocols),
    dict(type='L1', protocols=_protocols),
    dict(type='Sharpness'),
]
test_cfg = dict()
