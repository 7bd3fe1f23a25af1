"""Model: a pose network for small people, and how it is trained."""
model = dict(type='PoseTraining', network=dict(type='PoseUNet'), augmentation=dict())

optim_wrapper = dict(
    constructor='NetworkOptimizers',
    h=dict(networks=['net_h'], type='OptimWrapper', optimizer=dict(type='AdamW', lr=3e-3, weight_decay=1e-4)))

test_evaluator = [dict(type='PoseAccuracy')]
test_cfg = dict()
