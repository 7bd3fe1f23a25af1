"""All methods at demo scale on synthetic people doing actions that nobody was trained on: at equal iterations and at equal minutes.

    python tools/benchmark.py benchmarks/table1 --workers 2

Four actors, 12 actions of each for training and 4 held out, 16 frames of 192x192, of which MS-SSIM can be measured. All of it takes
less than 90 minutes on two cores without bfloat16. So that no method has more to compute with than another, a frame costs each
generator about 1 to 2 billion multiplications, and discriminators are alike. Learning rates are 4e-4 for all, falling in the second
half; losses are those of each method. An iteration sees two frames, that of vid2vid five. CycleGAN, CyCADA and BicycleGAN, which do
not paint a person from poses, are compared elsewhere.
"""
clips = dict(actors=dict(options={
    'data.root': 'data/benchmark_square',
    'data.synthetic': dict(height=192, width=192, actors=[1, 3, 8, 12], actions=16, frames=16),
    'data.split_rule': dict(train_actions_per_person=12, train_fraction=0.75),
    'train_dataloader.dataset.cache': 'decoded',
    'train_cfg.max_iters': 400, 'param_scheduler': [dict(type='LinearLR', start_factor=1.0, end_factor=0.05, begin=200, end=400)]}))

_d = {'model.discriminator.ndf': 16}
_small = {
    'model.generator.ngf': 16, 'model.generator.n_down': 3, 'model.generator.n_blocks': 4, **_d, 'model.discriminator.num_scales': 2}
_unet = {'model.generator.ngf': 32, 'model.generator.n_down': 6, **_d}
_pairs = {'train_dataloader.batch_size': 1}
_frames = {'train_dataloader.batch_size': 2}
_three = [0, 1, 2]
rows = [
    dict(name='paper A', config='ablations/stage2_global', seeds=_three, options={**_small, **_pairs}),
    dict(name='Deformable GAN', config='baselines/deformable_gan', seeds=_three, options={
        **_unet, **_frames, 'model.generator.ngf': 12}),
    dict(name='Everybody Dance Now', config='baselines/everybody_dance_now', seeds=_three, options={
        **_small, **_pairs, 'model.generator.ngf': 16, 'model.generator.n_local_blocks': 2, 'model.face_generator.ngf': 24,
        'model.face_generator.n_blocks': 3, 'model.face_discriminator.ndf': 32}),
    dict(name='vid2vid', config='baselines/vid2vid', options={
        **_small, 'model.generator.ngf': 12, 'train_dataloader.batch_size': 1}),
    dict(name='pix2pixHD', config='baselines/pix2pixhd', options={**_small, **_frames}),
    dict(name='pix2pixHD, encoder', config='baselines/pix2pixhd_features', options={**_small, **_frames, 'model.encoder.n_down': 3}),
    dict(name='pix2pix', config='baselines/pix2pix', options={**_unet, **_frames}),
    dict(name='cVAE-GAN', config='baselines/cvae_gan', options={**_unet, **_frames, 'model.encoder.nef': 32}),
    dict(name='posewarp', config='baselines/posewarp', options={**_unet, **_frames, 'model.generator.ngf': 24}),
    dict(name='PG2', config='baselines/pg2', options={
        **_d, **_frames, 'model.coarse.ngf': 12, 'model.fine.ngf': 12}),
    dict(name='disentangled person', config='baselines/disentangled_person', options={
        **_unet, **_frames, 'model.generator.ngf': 24, 'model.encoder.nef': 24, 'model.mappings_from': 1.0}),
    dict(name='paper A, end to end', config='stage2_end_to_end', options={
        **_pairs, **_d, 'model.discriminator.num_scales': 2, 'model.generator.ngf': 12, 'model.generator.n_down': 3,
        'model.generator.n_blocks': 4, 'model.generator.n_local_blocks': 2}),
    dict(name='textured', config='textured', options={
        **_pairs, **_d, 'model.discriminator.num_scales': 2, 'model.generator.generator.ngf': 16, 'model.generator.generator.n_down': 3,
        'model.generator.generator.n_blocks': 4}),
    dict(name='parts pasted', config='baselines/pix2pix', untrained='PasteParts'),
    dict(name='nearest frame', config='baselines/pix2pix', untrained='NearestFrame'),
    dict(name='content frame', config='baselines/pix2pix', untrained='CopyContent')]

budgets = [dict(iterations=150), dict(minutes=1)]
options = {
    'train_dataloader.num_workers': 0, 'model.losses.perceptual.download': False,
    'model.losses.nearest.download': False, 'model.losses.face_perceptual.download': False, 'model.ema': 0.99,
    'optim_wrapper.g.optimizer.lr': 4e-4, 'optim_wrapper.d.optimizer.lr': 4e-4}
fast = True
