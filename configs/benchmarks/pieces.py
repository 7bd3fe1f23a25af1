"""What each piece of the textured generator is worth, on stretches of real clips that were held out.

    python tools/benchmark.py benchmarks/pieces --workers 2

Clips as for people.py.
"""
_third = (2 / 3, 1.0)
clips = dict(
    squats=dict(root='data/people/squats', held_out=(40, 53)),
    arms=dict(root='data/people/arms', held_out=_third),
    student=dict(root='data/people/student', held_out=_third))

rows = [
    dict(name='all pieces, K = 2', config='own/textured'),
    dict(name='no references', config='ablations/textured_no_references'),
    dict(name='K = 1', config='ablations/textured_one_reference'),
    dict(name='K = 4', config='ablations/textured_four_references'),
    dict(name='no plate', config='ablations/textured_no_plate'),
    dict(name='no blend', config='ablations/textured_no_blend'),
    dict(name='discriminator on whole frames', config='ablations/textured_whole_frame_d'),
    dict(name='R1', config='own/textured', options={'model.r1': dict(weight=1.0, every=16)}),
    dict(name='spectral norm', config='own/textured', options={'model.discriminator.norm': 'spectral'}),
    dict(name='matte drawn to the mask', config='own/textured',
         options={'model.losses.matte': dict(type='MatteLoss', kind='bce', weight=0.5)}),
    dict(name='bicubic references', config='own/textured', options={
        'model.feature_maps.texture_warper': dict(type='PartAffineWarper', merge='over', rigid_head=True, sampling='bicubic')})]
budgets = [dict(iterations=100)]
seeds = [0, 1, 2]
fast = True
options = {'model.losses.perceptual.download': False}
