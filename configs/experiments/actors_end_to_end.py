"""The baseline of paper A's figure 5, beside actors.py: the color encoders are trained along with the generator, from scratch."""
_base_ = ['actors.py']

_encoder = dict(type='ResNetEncoder', nef=32, n_down=5, norm='none', init='kaiming', pooling='adaptive')
model = dict(color_codes=dict(
    _delete_=True, frozen=False, up=dict(sees='region', encoder=dict(_encoder, nz=16)),
    down=dict(sees='region', encoder=dict(_encoder, nz=8))))
optim_wrapper = dict(g=dict(networks=['net_g', 'color_codes']))
