"""Evaluation of a transfer between two persons. Movement is compared with the input's, pictures with the truth where it is known.

PCK and Identity take the first pose estimator that is installed and that the model was not trained against. In frames of less than
about 200 pixels ConvolutionalPoseMachine finds no joints even of real people: read PCK beside its ceiling.
"""
_protocols = ['full', 'crop']
test_evaluator = [
    dict(type='PCK', against='input'),
    dict(type='Identity'),
    dict(type='Temporal', against='input', net='auto'),
    dict(type='FID'),
    dict(type='PSNR', protocols=_protocols),
    dict(type='SSIM', protocols=_protocols),
    dict(type='LPIPS', net='auto', protocols=_protocols),
    dict(type='L1', protocols=_protocols),
    dict(type='Sharpness'),
]
test_cfg = dict()
