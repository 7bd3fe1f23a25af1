"""CycleGAN and pix2pix (junyanz/pytorch-CycleGAN-and-pix2pix): ``latest_net_G_A.pth`` and the like, residual or U-Net, and PatchGANs.

The residual generator and the PatchGAN are Sequentials as in pix2pixHD. Convolutions have no bias before a batch norm. A U-Net is
nested: each level holds the next one, and hands on [what came in, what comes out], where ours has the two the other way round.
"""

import torch
from torch import Tensor

from toolkit.conversion.layout import Layout, State, convolutions, unknown_network
from toolkit.conversion.pix2pixhd import dropout_note, patch_layers, trunk_counts, trunk_layers

CODE = 'pytorch-CycleGAN-and-pix2pix'
UNET_NOTE = ('pix2pix and BicycleGAN may drop out half of the innermost maps; the weights do not say it. Add dropout=True to the '
             'config where a training goes on')
BATCH_NOTE = ('it has batch norms: the authors generate with the statistics of each picture unless they say --eval; ours takes those '
              'of training, as --eval does')


def layout(state: State, source: str) -> Layout:
    """Which network it is, see :mod:`toolkit.conversion`.

    Raises:
        InputError: none of this code.
    """
    if 'model.model.0.weight' in state:
        return unet(state, source)
    if 'model.1.weight' in state and any('.conv_block.' in key for key in state):
        return resnet(state, source)
    if 'model.0.weight' in state:
        return patchgan(state)
    raise unknown_network(state, source, CODE, 'residual or U-Net generator, or PatchGAN discriminator; a PixelGAN has no counterpart')


def norm_of(state: State, convolution: str, norm: str) -> str:
    """The norm behind a convolution, which has a bias only where that is an instance norm.

    Args:
        state: of the file.
        convolution: its layer.
        norm: the layer of the norm.
    """
    return 'batch' if f'{norm}.weight' in state else 'instance' if f'{convolution}.bias' in state else 'none'


def resnet(state: State, source: str) -> Layout:
    """The layout of :class:`toolkit.generators.resnet.ResNetGenerator`."""
    n_down, n_blocks, dropout = trunk_counts(state, 'model', source, head=True)
    layers, last = trunk_layers('model', '', n_down, n_blocks, dropout)
    layers['head.conv'] = f'model.{last + 1}'
    first, head = state['model.1.weight'], state.get(f'model.{last + 1}.weight')
    config = dict(type='ResNetGenerator', input_nc=first.shape[1], output_nc=3 if head is None else head.shape[0], ngf=first.shape[0],
                  n_down=n_down, n_blocks=n_blocks, norm=norm_of(state, 'model.1', 'model.2'))
    return _finished(Layout('GENERATORS', config, layers, notes=dropout_note(dropout)))


def patchgan(state: State) -> Layout:
    """The layout of :class:`toolkit.discriminators.patch.PatchGAN`."""
    n_layers = len(convolutions(state, 'model')) - 2
    layers = patch_layers('model', 'scales.0', n_layers)
    first = state['model.0.weight']
    config = dict(type='PatchGAN', input_nc=first.shape[1], ndf=first.shape[0], n_layers=n_layers,
                  norm=norm_of(state, 'model.2', 'model.3') if n_layers > 0 else 'instance')
    return _finished(Layout('DISCRIMINATORS', config, layers))


def unet(state: State, source: str) -> Layout:
    """The layout of :class:`toolkit.generators.unet.UNet` without a code."""
    prefixes = unet_levels(state)
    layers, first = unet_layers(prefixes), state['model.model.0.weight']
    if len(prefixes) < 2:
        raise unknown_network(state, source, CODE, 'a U-Net has at least two levels')
    head = state.get(f'{layers["ups.0.1"]}.weight')
    config = dict(type='UNet', input_nc=first.shape[1], output_nc=3 if head is None else head.shape[1], n_down=len(prefixes),
                  ngf=first.shape[0], z_dims=[0], norm=norm_of(state, layers['downs.1.1'], layers['downs.1.2']))
    swapped = {f'ups.{level}.1.weight': _with_halves_swapped(f'{layers[f"ups.{level}.1"]}.weight')
               for level in range(len(prefixes) - 1)}
    return _finished(Layout('GENERATORS', config, layers, changed=swapped, notes=[UNET_NOTE]))


def unet_levels(state: State, inner: int = 3) -> list[str]:
    """Prefixes of the levels of a nested U-Net, outermost first.

    Args:
        state: of the file.
        inner: index of a level in the one around it; in the outermost it is 1.
    """
    prefixes, inside = ['model.model'], 'model.model.1.model'
    while f'{inside}.1.weight' in state:
        prefixes.append(inside)
        inside = f'{inside}.{inner}.model'
    return prefixes


def unet_layers(prefixes: list[str], inner: int = 3, enlarge: int = 1) -> dict[str, str]:
    """Layers of a nested U-Net: [LeakyReLU, convolution, norm, level, ReLU, up-convolution, norm].

    The outermost has no LeakyReLU and no norms, the innermost no level and no norm on the way down.

    Args:
        prefixes: of :func:`unet_levels`.
        inner: index of a level in the one around it: 3, or 2 without norms.
        enlarge: modules that double the size: 1, or 3 of enlarging, border and convolution.
    """
    layers = {}
    for level, prefix in enumerate(prefixes):
        outermost, innermost = level == 0, level == len(prefixes) - 1
        behind = 2 if innermost or outermost else inner + 1
        up = 2 + (enlarge == 3)
        if outermost:
            layers['downs.0.0'] = f'{prefix}.0'
        else:
            layers |= {f'downs.{level}.1': f'{prefix}.1', f'downs.{level}.2': f'{prefix}.2'}
            layers[f'ups.{level}.{up}'] = f'{prefix}.{behind + enlarge + 1}'
        layers[f'ups.{level}.{up - 1}'] = f'{prefix}.{behind + enlarge}'
    return layers


def _with_halves_swapped(key: str):
    def swapped(state: State) -> Tensor:
        return torch.cat(state[key].chunk(2)[::-1])
    return swapped


def _finished(layout: Layout) -> Layout:
    norm = layout.config['norm']
    layout.without_bias = norm != 'instance'
    layout.notes = layout.notes + ([BATCH_NOTE] if norm == 'batch' and layout.part == 'GENERATORS' else [])
    return layout
