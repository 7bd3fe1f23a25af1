"""What each choice of paper A's video generator is worth, at demo scale on synthetic people doing actions that nobody was trained on.

    python tools/benchmark.py benchmarks/ablations --workers 2

Four actors, 12 actions of each for training and 4 held out, 24 frames of 256x192; three seeds for the four that matter most.
"""
clips = dict(actors=dict(options={
    'data.root': 'data/benchmark_actors',
    'data.synthetic': dict(height=256, width=192, actors=[1, 3, 8, 12], actions=16, frames=24),
    'data.split_rule': dict(train_actions_per_person=12, train_fraction=0.75),
    'train_dataloader.dataset.cache': 'decoded', 'train_dataloader.batch_size': 2,
    'train_cfg.max_iters': 400, 'param_scheduler': [dict(type='LinearLR', start_factor=1.0, end_factor=0.05, begin=200, end=400)],
    'model.discriminator.ndf': 32}))

_g = {'model.generator.ngf': 16, 'model.generator.n_down': 3, 'model.generator.n_blocks': 4}
_local = {**_g, 'model.generator.n_local_blocks': 2, 'model.discriminator.num_scales': 2}
_three = [0, 1, 2]
_stage2 = 'ablations/stage2_'
rows = [
    dict(name='paper A', config='stage2_pix2pixhd', options=_local, seeds=_three),
    dict(name='pose warped, too', config=_stage2 + 'warped_pose', options=_local),
    dict(name='no warped edges', config=_stage2 + 'no_warp', options=_local, seeds=_three),
    dict(name='edges of the real frame', config=_stage2 + 'real_edges', options=_local),
    dict(name='features restored', config='experiments/restored_actors', options=_local),
    dict(name='no feature matching', config=_stage2 + 'no_fm', options=_local, seeds=_three),
    dict(name='no perceptual loss', config=_stage2 + 'no_perceptual', options=_local, seeds=_three),
    dict(name='windows of one frame', config=_stage2 + 'one_frame', options=_local),
    dict(name='windows of three frames', config=_stage2 + 'three_frames', options=_local),
    dict(name='first frame from black', config=_stage2 + 'black_start', options=_local),
    dict(name='one scale of discriminators', config='stage2_pix2pixhd', options={**_local, 'model.discriminator.num_scales': 1}),
    dict(name='three scales of discriminators', config='stage2_pix2pixhd', options={**_local, 'model.discriminator.num_scales': 3}),
    dict(name='global generator alone', config=_stage2 + 'global', options={
        **_g, 'model.generator.ngf': 32, 'model.discriminator.num_scales': 2}),
    dict(name='no adversarial loss', config='stage2_pix2pixhd', options={
        **_local, 'model.losses.gan.weight': 0.0, 'model.losses.fm.weight': 0.0, 'model.losses.l1.weight': 10.0}),
    dict(name='with L1', config='stage2_pix2pixhd', options={**_local, 'model.losses.l1.weight': 10.0}),
    dict(name='parts pasted', config='stage2_pix2pixhd', untrained='PasteParts')]

budgets = [dict(iterations=200)]
options = {
    'train_dataloader.num_workers': 0, 'model.losses.perceptual.download': False,
    'model.ema': 0.99, 'optim_wrapper.g.optimizer.lr': 4e-4, 'optim_wrapper.d.optimizer.lr': 4e-4}
fast = True
