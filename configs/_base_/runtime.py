"""Runtime: seeds, hooks, logging and environment of every run."""
default_scope = 'toolkit'
launcher = 'none'
load_from = None
resume = False
log_level = 'INFO'

randomness = dict(seed=0, deterministic=False)

default_hooks = dict(
    runtime_info=dict(type='TrainStateHook'),
    logger=dict(type='ScalarLogger', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    nan_guard=dict(type='NanGuard'),
    checkpoint=dict(type='CheckpointHook', interval=1000, max_keep_ckpts=3))

# For Weights & Biases add dict(type='WandbVisBackend', init_kwargs=dict(project='...')).
visualizer = dict(type='Visualizer', vis_backends=[dict(type='TensorboardVisBackend')])

env_cfg = dict(
    cudnn_benchmark=True,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl', timeout=1800))
