"""BicycleGAN (junyanz/BicycleGAN): ``latest_net_G.pth``, ``latest_net_E.pth`` and ``latest_net_D.pth``.

The U-Net with its code in all levels has ``down``, ``submodule`` and ``up``; with the code at the input alone it is nested as in
pix2pix. An encoder is ``conv``, whose residual blocks have ``conv`` and ``shortcut``, with the heads ``fc`` and ``fcVar``. Scales
of the discriminator are stored finest first, ``model_0``, ``model_1``, without the ``_`` in older files.
"""

from toolkit.conversion.cyclegan import UNET_NOTE, unet_layers, unet_levels
from toolkit.conversion.layout import Layout, State, convolutions, highest, unknown_network
from toolkit.conversion.pix2pixhd import norm_of, patch_layers
from toolkit.structures import InputError

CODE = 'BicycleGAN'
KNOWN_NORMS = ('instance', 'none')
FINEST = ('model', 'model_0', 'model0')
"""Names of a discriminator's only or finest scale."""


def layout(state: State, source: str, nz: int | None = None, norm: str | None = None) -> Layout:
    """Which network it is, see :mod:`toolkit.conversion`.

    Args:
        state: of the file.
        source: the file, for messages.
        nz: length of the code of a generator that takes it at its input (``--where_add input``): shapes show the sum of it and the
            channels of the input alone.
        norm: of a generator with its code in all levels and without batch norms: ``'instance'``, the default there and here, or
            ``'none'``, which looks alike.

    Raises:
        InputError: none of this code; ``nz`` missing, or an option that the network does not need.
    """
    if 'model.down.0.weight' in state:
        found = unet_all(state, norm or 'instance')
        given = dict(nz=nz, norm=norm if found.config['norm'] == 'batch' else None)
    elif 'model.model.0.weight' in state:
        given, found = dict(norm=norm), unet_input(state, source, nz)
    elif 'conv.0.weight' in state and 'fc.0.weight' in state:
        given, found = dict(nz=nz, norm=norm), encoder(state, source)
    elif any(f'{name}.0.weight' in state for name in FINEST):
        given, found = dict(nz=nz, norm=norm), discriminator(state)
    else:
        raise unknown_network(state, source, CODE, 'U-Net, residual encoder, or discriminator')
    if wishes := [f'{key}={value!r}' for key, value in given.items() if value is not None]:
        raise InputError(f'{", ".join(wishes)} is not needed for {source}: its shapes say it; leave it out')
    return found


def unet_all(state: State, norm: str) -> Layout:
    """The layout of :class:`toolkit.generators.unet.UNet` with ``z_injection='all'``."""
    if norm not in KNOWN_NORMS:
        raise InputError(f'norm={norm!r} of BicycleGAN: expected one of {", ".join(KNOWN_NORMS)}; batch is seen by its weights')
    prefixes = ['model']
    while f'{prefixes[-1]}.submodule.down.1.weight' in state:
        prefixes.append(f'{prefixes[-1]}.submodule')
    enlarge = 3 if 'model.up.3.weight' in state else 1
    layers, place = {'downs.0.0': 'model.down.0'}, 2 if enlarge == 3 else 1
    for level, prefix in enumerate(prefixes):
        if level:
            layers |= {f'downs.{level}.1': f'{prefix}.down.1', f'downs.{level}.2': f'{prefix}.down.2'}
            layers[f'ups.{level}.{place + 1}'] = f'{prefix}.up.{enlarge + 1}'
        layers[f'ups.{level}.{place}'] = f'{prefix}.up.{enlarge}'
    first, second = state['model.down.0.weight'], state.get('model.submodule.down.1.weight', state['model.down.0.weight'])
    nz = second.shape[1] - first.shape[0]
    norm = 'batch' if 'model.submodule.up.' + f'{enlarge + 1}.weight' in state else norm
    return _unet(state, layers, first.shape[1] - nz, nz, 'all', len(prefixes), enlarge, norm)


def unet_input(state: State, source: str, nz: int | None) -> Layout:
    """The layout of :class:`toolkit.generators.unet.UNet` with ``z_injection='input'``."""
    if nz is None:
        raise InputError(f'{source} takes its code at the input, where shapes do not tell it from a picture: say nz, the length of the '
                         f'code (8 as published)')
    first = state['model.model.0.weight']
    if not 0 <= nz < first.shape[1]:
        raise InputError(f'nz={nz}: {source} takes {first.shape[1]} channels, picture and code together; expected the length of the '
                         f'code alone, 0 for none')
    inner = 3 if 'model.model.1.model.3.model.1.weight' in state else 2
    prefixes, enlarge = unet_levels(state, inner), 3 if 'model.model.5.weight' in state else 1
    layers = unet_layers(prefixes, inner, enlarge)
    norm = 'none' if inner == 2 else norm_of(state, f'{prefixes[1]}.2')
    return _unet(state, layers, first.shape[1] - nz, nz, 'input', len(prefixes), enlarge, norm)


def _unet(state: State, layers: dict, channels: int, nz: int, injection: str, levels: int, enlarge: int, norm: str) -> Layout:
    up = 'transposed' if enlarge == 1 else 'bilinear'
    head = state.get(f'{layers["ups.0.1" if enlarge == 1 else "ups.0.2"]}.weight')
    outputs = 3 if head is None else head.shape[1 if enlarge == 1 else 0]
    first = state[f'{layers["downs.0.0"]}.weight']
    config = dict(type='UNet', input_nc=channels, output_nc=outputs, n_down=levels, ngf=first.shape[0], z_dims=[nz],
                  z_injection=injection, norm=norm, up=up)
    return Layout('GENERATORS', config, layers, notes=[UNET_NOTE])


def encoder(state: State, source: str) -> Layout:
    """The layout of :class:`toolkit.encoders.resnet_encoder.ResNetEncoder`, BicycleGAN's way: with the mean over 8 x 8 places."""
    if 'conv.1.shortcut.1.weight' not in state or 'fcVar.0.weight' not in state:
        raise unknown_network(state, source, CODE, 'an encoder of residual blocks (resnet_128, resnet_256) with a log-variance')
    if 'conv.1.conv.1.weight' in state:
        raise InputError(f'{source} is an encoder without norms: its shortcuts see what the first activation of a block has changed, '
                         f'and ours do not, so that it would work otherwise')
    if 'conv.1.conv.0.weight' in state and state['conv.1.conv.0.weight'].ndim == 1:
        raise InputError(f'{source} is an encoder with batch norms; ours has none, so that it would work otherwise')
    blocks = highest(state, r'conv\.(\d+)\.shortcut\.')
    layers = {'stem': 'conv.0', 'mu': 'fc.0', 'logvar': 'fcVar.0'}
    for block in range(blocks):
        theirs = f'conv.{block + 1}'
        layers |= {f'blocks.{block}.conv1': f'{theirs}.conv.2', f'blocks.{block}.conv2': f'{theirs}.conv.5.0',
                   f'blocks.{block}.shortcut': f'{theirs}.shortcut.1'}
    stem = state['conv.0.weight']
    config = dict(type='ResNetEncoder', nz=state['fc.0.weight'].shape[0], input_nc=stem.shape[1], nef=stem.shape[0], n_down=blocks + 1,
                  norm='instance', pooling='avg8')
    return Layout('ENCODERS', config, layers)


def discriminator(state: State) -> Layout:
    """The layout of :class:`toolkit.discriminators.bicycle.BicycleDiscriminator`."""
    finest = next(name for name in FINEST if f'{name}.0.weight' in state)
    stem = finest.removesuffix('0')
    n_layers = len(convolutions(state, finest)) - 2
    names = [finest] if finest == stem else [f'{stem}{i}' for i in range(highest(state, rf'{stem}(\d+)\.', n_layers + 2) + 1)]
    layers = {key: value for scale, name in enumerate(names) for key, value in patch_layers(name, f'scales.{scale}', n_layers).items()}
    first = state[f'{names[0]}.0.weight']
    config = dict(type='BicycleDiscriminator', input_nc=first.shape[1], ndf=first.shape[0], n_layers=n_layers, num_scales=len(names),
                  norm=norm_of(state, f'{names[0]}.3'))
    return Layout('DISCRIMINATORS', config, layers)
