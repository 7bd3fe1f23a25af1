"""What a minute of training buys on one's own clip: curves of LPIPS and PCK over the seconds of training, on held-out frames.

    python tools/prepare_data.py squats.mp4 --out data/people --size 384x256
    python tools/generate.py --content data/demo_studio_08/08_arms_up --driving data/people/squats --retarget off --size 192x128 \\
        --out twin.mp4
    python tools/prepare_data.py twin.mp4 --out data/twin --size 192x128 --crop center --person twin --action squats
    python tools/benchmark.py benchmarks/minutes --workers 2

Points to two minutes are of one training; 5, 15 and 60 minutes are trainings of their own, whose learning rates fall as their minutes
pass. Minutes are processor time of a worker, which other work on the machine changes less than wall clock; have no more workers than
cores, and take clock = 'wall' for GPUs. All takes seven hours of one core: --stop-after 60 does a part, and the same command goes on.

CycleGAN turns frames of another person into frames of this one. So that the truth is known, the other person makes the same movements:
a synthetic one (the config experiments/cyclegan renders it when it trains), moved by the poses of the clip.
"""
_held_out = (40, 53)
_twin = {
    'data.a.root': 'data/twin', 'data.b.root': 'data/people/squats', 'test_dataloader.dataset.paired': True,
    'test_dataloader.dataset.directions': ['ab']}
for _name in 'ab':
    _twin |= {
        f'data.{_name}.persons': None, f'data.{_name}.split_rule': None, f'data.{_name}.pixels': 192 * 128,
        **{f'{_loader}_dataloader.dataset.{_name}.split': None for _loader in ('train', 'test')},
        f'train_dataloader.dataset.{_name}.exclude': _held_out, f'test_dataloader.dataset.{_name}.frames': _held_out}
clips = dict(squats=dict(root='data/people/squats', held_out=_held_out), twin=dict(options=_twin))

_size = {'data.pixels': 192 * 128, 'test_dataloader.dataset.content': 0}
_nets = {'model.generator.n_down': 3, 'model.generator.n_blocks': 4, 'model.discriminator.ndf': 32, 'model.discriminator.num_scales': 2,
         'model.losses.perceptual.weight': 20.0}
_two, _own = [0, 1 / 6, 0.5, 1, 2], ['squats']
rows = [
    dict(name='textured, from the generator that comes along', config='own/finetune', clips=_own),
    dict(name='textured from scratch', config='own/textured', clips=_own, budgets=[dict(minutes=_two), dict(minutes=5)]),
    dict(name='paper A', config='own/video', clips=_own),
    dict(name='Everybody Dance Now', config='baselines/everybody_dance_now', clips=_own, options={
        **_size, **_nets, 'train_dataloader.batch_size': 2, 'model.generator.ngf': 16, 'model.generator.n_local_blocks': 2,
        'model.face_size': 32, 'model.face_generator.ngf': 24, 'model.face_generator.n_down': 2, 'model.face_generator.n_blocks': 3,
        'model.face_discriminator.ndf': 32}),
    dict(name='vid2vid', config='baselines/vid2vid', clips=_own, options={**_size, **_nets, 'model.generator.ngf': 24}),
    dict(name='CycleGAN, from another person', config='own/transfer', clips=['twin'], options={
        'optim_wrapper.g.optimizer.lr': 4e-4, 'optim_wrapper.d.optimizer.lr': 2e-4}),
    dict(name='parts pasted', config='own/video', clips=_own, untrained='PasteParts'),
    dict(name='nearest frame', config='own/video', clips=_own, untrained='NearestFrame')]

budgets = [dict(minutes=_two), dict(minutes=5), dict(minutes=15), dict(minutes=60)]
clock = 'cpu'
plot = ['lpips*/full', 'pck/limbs@0.1']
options = {
    'train_dataloader.num_workers': 0, 'model.losses.perceptual.download': False, 'model.losses.face_perceptual.download': False,
    'optim_wrapper.g.optimizer.lr': 5e-4, 'optim_wrapper.d.optimizer.lr': 5e-4}
fast = True
