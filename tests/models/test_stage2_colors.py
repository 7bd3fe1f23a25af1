"""The video generator with color codes: who learns from what, and where a code acts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from toolkit.engine.config import load_config
from toolkit.engine.optim import NetworkOptimizers
from toolkit.registry import MODELS
from toolkit.structures import InputError, MissingWeightsError

ROOT = Path(__file__).resolve().parents[2]
H, W = 64, 48
UP, DOWN = dict(type='ResNetEncoder', nz=3, nef=8, n_down=3), dict(type='ResNetEncoder', nz=2, nef=8, n_down=3)


def build(frozen=True, mode='region_film', **kwargs):
    torch.manual_seed(0)
    return MODELS.build(dict(
        type='VideoPix2PixHD', generator=dict(type='GlobalGenerator', ngf=8, n_down=2, n_blocks=1, z_injection=mode),
        discriminator=dict(type='MultiscaleDiscriminator', ndf=8, n_layers=2, num_scales=1),
        losses=dict(gan=dict(type='GANLoss'), l1=dict(type='L1Loss', weight=5.0)),
        color_codes=dict(up=dict(encoder=UP), down=dict(encoder=DOWN), frozen=frozen), **kwargs))


def optimizers(model, networks=('net_g',), **more):
    sgd = dict(type='SGD', lr=0.01)
    return NetworkOptimizers(dict(
        g=dict(networks=list(networks), optimizer=sgd), d=dict(networks=['net_d'], optimizer=sgd), **more))(model)


def batch_of(model, frames=2, size=1):
    generator, batch = torch.Generator().manual_seed(1), model.example_batch(H, W, frames)
    for key, value in batch.items():
        value = value.repeat_interleave(size, 0) if torch.is_tensor(value) else value * size
        if torch.is_tensor(value) and value.dtype == torch.uint8:
            value = torch.randint(0, 11 if 'parts' in key else 256, value.shape, generator=generator).to(torch.uint8)
        batch[key] = value
    return batch


def content_and_steps(data):
    content = {k: v for k, v in data.items() if k.startswith('content_')}
    steps = [{k: data[k][:, t:t + 1] for k in ('poses', 'pose_maps', 'regions')} for t in range(data['frames'].shape[1])]
    return content, steps


def pictures(model, data, z):
    """(T, H, W, 3) int of a clip generated with a code."""
    return model.test_step(dict(data, z=z))[0]['generated'].astype(int)


@pytest.mark.parametrize('mode, channels, parameters', [('tile', 31, 182_833_539), ('stem_nonorm', 31, 182_833_539),
                                                        ('region_film', 7, None), ('last_film', 7, None), ('region_rgb', 7, None)])
def test_sizes_at_the_size_of_the_paper(mode, channels, parameters):
    names = dict(region_rgb='stage2_end_to_end.py')
    cfg = load_config(ROOT / 'configs' / names.get(mode, f'ablations/stage2_colors_{mode}.py')).model
    encoders = load_config(ROOT / 'configs/stage2_end_to_end.py').model.color_codes
    cfg.losses.perceptual.weight = 0
    cfg.ema = None
    with torch.device('meta'):
        model = MODELS.build(dict(cfg, color_codes=dict(up=encoders.up, down=encoders.down)))
    assert model.color_codes.z_dims == (16, 8) and model.net_g.injection.mode == mode
    assert next(p for p in model.net_g.parameters() if p.ndim == 4).shape[1] == channels
    assert parameters in (None, sum(p.numel() for p in model.net_g.parameters()))
    assert sum(p.numel() for p in model.color_codes.parameters()) == 2_594_144 + 2_590_032


def test_a_code_acts_inside_its_region_only():
    model = build()
    data = batch_of(model)
    zero, up, down = (torch.tensor([z]) for z in ([0., 0, 0, 0, 0], [9., 9, 9, 0, 0], [0., 0, 0, 9, 9]))
    data['regions'][:, :, 1] = 0
    nothing = pictures(model, data, zero)
    assert (pictures(model, data, down) == nothing).all(), 'the lower code has no region'
    assert (pictures(model, data, up) != nothing).any()
    data['regions'].zero_()
    assert (pictures(model, data, up) == pictures(model, data, zero)).all()


@pytest.mark.parametrize('mode, alive', [('tile', False), ('stem_nonorm', True)])
def test_the_literal_mode_is_dead(mode, alive):
    model = build(mode=mode).eval()
    features, z = torch.randn(1, 1, 4, H, W), torch.randn(2, 1, 5)
    with torch.no_grad():
        one, other = (model.unroll(model.net_g, features, None, code) for code in z)
    assert ((one - other).abs().max() > 1e-3) == alive


def test_the_code_is_that_of_the_content_frame():
    model = build()
    data = batch_of(model)
    content, _ = content_and_steps(data)
    batch = model.data_preprocessor(content)
    z = model.encode(content)
    assert torch.equal(z, model.color_codes(batch['content_frame'], batch['content_regions'], batch['content_mask']))
    assert z.shape == (1, 5) and (model.test_step(data)[0]['generated'] == pictures(model, data, z)).all()
    recolored = dict(content, content_frame=255 - content['content_frame'])
    assert not torch.allclose(model.encode(recolored), z)


def test_one_code_a_frame():
    model = build()
    data = batch_of(model, frames=3)
    content, steps = content_and_steps(data)
    z = 3 * torch.randn(1, 5, generator=torch.Generator().manual_seed(0))

    def generated(code):
        return np.stack(list(model.generate(steps, content=content, z=code)))

    constant = generated(z)
    assert (generated(z.repeat(3, 1)) == constant).all()
    changing = generated(torch.cat([z, -z, -z]))
    assert (changing[0] == constant[0]).all() and (changing[1] != constant[1]).any()
    with pytest.raises(InputError, match='2 color codes for more frames'):
        generated(z.repeat(2, 1))


def test_frozen_encoders_do_not_learn():
    model = build().train()
    wrappers = optimizers(model)
    trained = {id(p) for w in wrappers.values() for group in w.optimizer.param_groups for p in group['params']}
    assert not any(id(p) in trained for p in model.color_codes.parameters())
    before = {k: v.clone() for k, v in model.color_codes.named_parameters()}
    film = [p for name, p in model.net_g.named_parameters() if '.linears.' in name]
    was = [p.clone() for p in film]
    model.train_step(batch_of(model), wrappers)
    assert all(p.grad is None and torch.equal(p, before[k]) for k, p in model.color_codes.named_parameters())
    assert film and all(not torch.equal(a, b) for a, b in zip(film, was)), 'the generator learns what to do with the code'
    assert model.color_codes.seen_count == 1 and not hasattr(model, 'color_codes_ema')
    assert not any(m.training for m in model.color_codes.modules())


def test_end_to_end_teaches_both_encoders():
    model = build(frozen=False).train()
    wrappers = optimizers(model, ['net_g', 'color_codes'])
    before = {k: v.clone() for k, v in model.state_dict().items() if torch.is_tensor(v)}
    model.train_step(batch_of(model, size=2), wrappers)
    after = model.state_dict()
    for part in ('color_codes.up.network.stem', 'color_codes.down.network.stem', 'color_codes_ema.up.network.stem'):
        keys = [k for k in before if k.startswith(part)]
        assert keys and all(not torch.equal(before[k], after[k]) for k in keys), part
    assert model.codes is model.color_codes_ema and model.codes.seen_count == 2
    assert all(p.grad is None for p in model.color_codes_ema.parameters())


def test_optimizers_that_would_leave_the_encoders_behind():
    model = build(frozen=False)
    with pytest.raises(InputError, match='no optimizer trains color_codes'):
        optimizers(model)
    wrappers = optimizers(model, e=dict(networks=['color_codes'], optimizer=dict(type='SGD', lr=0.1)))
    with pytest.raises(InputError, match='g, d, e, expected g and d.*networks of g'):
        model.train_step(batch_of(model), wrappers)


def test_codes_of_the_batch_leave_nothing_for_encoders_to_learn():
    model = build(frozen=False).train()
    wrappers = optimizers(model, ('net_g', 'color_codes'))
    with pytest.raises(InputError, match='leave z out of the batches'):
        model.train_step(dict(batch_of(model), z=torch.zeros(1, 5)), wrappers)
    frozen = build()
    assert frozen.train_step(dict(batch_of(frozen), z=torch.zeros(1, 5)), optimizers(frozen))


def test_wrong_lengths_and_missing_files():
    losses = dict(gan=dict(type='GANLoss'))
    config = dict(type='VideoPix2PixHD', discriminator={}, losses=losses, generator=dict(type='GlobalGenerator', z_dims=(16, 8)))
    with pytest.raises(InputError, match=r'z_dims=\(16, 8\), but VideoPix2PixHD needs \(3, 2\): leave z_dims out'):
        MODELS.build(dict(config, color_codes=dict(up=dict(encoder=UP), down=dict(encoder=DOWN))))
    cfg = load_config(ROOT / 'configs/stage2_colors.py', {'model.color_codes.up': 'nowhere/stage1_bicyclegan_up'})
    with pytest.raises(MissingWeightsError, match="'up': nowhere/.* does not exist. Train it first: python tools/train.py"):
        MODELS.build(cfg.model)
