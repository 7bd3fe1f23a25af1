"""The video generator with textures on the synthetic actions at 384x256: it copies what the person's other clips show."""
_base_ = ['stage2_pix2pixhd.py']

data = dict(references=dict(count=2, scale=1), plate=True)   # the clips are no larger than the frames
model = dict(
    generator=dict(_delete_=True, type='BlendGenerator', generator=dict(type='GlobalGenerator', ngf=32, n_down=4, n_blocks=6)),
    feature_maps=dict(references=2, plate=True),
    discriminator_view=dict(crop='person', background=False),
    losses=dict(l1=dict(weight=10.0)))
train_cfg = dict(max_iters=100_000)
