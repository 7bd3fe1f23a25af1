"""The video generator of actors.py that copies from references, of their garments the lightness alone: codes color them."""
_base_ = ['actors.py']

data = dict(references=dict(count=2, scale=1, garments=True), plate=True)
model = dict(
    generator=dict(
        _delete_=True, type='BlendGenerator',
        generator=dict(type='GlobalGenerator', ngf=24, n_down=3, n_blocks=4, z_injection='region_rgb')),
    discriminator_view=dict(crop='person', background=False),
    feature_maps=dict(references=2, plate=True, texture_lightness=True))
