"""The baseline of paper A's figure 5: no stage I, the color encoders are trained along with the generator, from scratch."""
_base_ = 'stage2_colors.py'

_encoder = dict(type='ResNetEncoder', n_down=5, norm='none', init='kaiming', pooling='adaptive')
model = dict(color_codes=dict(
    _delete_=True, frozen=False, up=dict(sees='region', encoder=dict(_encoder, nz=16)),
    down=dict(sees='region', encoder=dict(_encoder, nz=8))))
optim_wrapper = dict(g=dict(networks=['net_g', 'color_codes']))
