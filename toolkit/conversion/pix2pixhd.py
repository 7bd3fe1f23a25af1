"""pix2pixHD (NVIDIA/pix2pixHD): ``latest_net_G.pth``, global or local, and ``latest_net_D.pth``.

Everything is in ``nn.Sequential``: a generator is [border 3, 7x7, norm, ReLU], [3x3 of stride 2, norm, ReLU] for each halving,
residual blocks, [up-convolution, norm, ReLU] for each doubling, [border 3, 7x7, tanh], counted through. Of a local enhancer ``model``
is the global generator without its last three, ``modelN_1`` and ``modelN_2`` what is before and behind the sum. The feature encoder is
a generator without residual blocks. Scales of the discriminator are stored coarsest first: ``scale0`` sees the smallest picture.
"""

from toolkit.conversion.layout import Layout, State, convolutions, highest, unknown_network

CODE = 'pix2pixHD'


def layout(state: State, source: str) -> Layout:
    """Which network it is, see :mod:`toolkit.conversion`.

    Raises:
        InputError: none of this code.
    """
    if any(key.startswith(('scale0_layer0.', 'layer0.')) for key in state):
        return discriminator(state)
    if 'model1_1.1.weight' in state:
        return local_enhancer(state, source)
    if 'model.1.weight' in state and convolutions(state, 'model'):
        return global_generator(state, source)
    raise unknown_network(state, source, CODE, 'generator, global or local, or discriminator')


def global_generator(state: State, source: str) -> Layout:
    """The layout of :class:`toolkit.generators.pix2pixhd.GlobalGenerator`."""
    n_down, n_blocks, dropout = trunk_counts(state, 'model', source, head=True)
    layers, last = trunk_layers('model', 'trunk.', n_down, n_blocks, dropout)
    layers['head.conv'] = f'model.{last + 1}'
    first = state['model.1.weight']
    config = dict(type='GlobalGenerator', input_nc=first.shape[1], output_nc=_outputs(state, layers['head.conv']), ngf=first.shape[0],
                  n_down=n_down, n_blocks=n_blocks, norm=norm_of(state, 'model.2'))
    return Layout('GENERATORS', config, layers, notes=dropout_note(dropout))


def local_enhancer(state: State, source: str) -> Layout:
    """The layout of :class:`toolkit.generators.local_enhancer.LocalEnhancer`."""
    n_down, n_blocks, dropout = trunk_counts(state, 'model', source, head=False)
    layers, _ = trunk_layers('model', 'trunk.', n_down, n_blocks, dropout)
    n_local = highest(state, r'model1_2\.(\d+)\.conv_block\.') + 1
    n_enhancers = highest(state, r'model(\d+)_1\.', n_local)
    for number in range(1, n_enhancers + 1):
        ours, before, behind = f'enhancers.{number - 1}', f'model{number}_1', f'model{number}_2'
        layers |= {
            f'{ours}.stem.0': f'{before}.1', f'{ours}.stem.1': f'{before}.2', f'{ours}.down.0': f'{before}.4',
            f'{ours}.down.1': f'{before}.5', f'{ours}.up.conv': f'{behind}.{n_local}', f'{ours}.up.norm': f'{behind}.{n_local + 1}'}
        for block in range(n_local):
            layers |= block_layers(f'{behind}.{block}', f'{ours}.blocks.{block}', dropout)
    layers['head.conv'] = f'model{n_enhancers}_2.{n_local + 4}'
    first = state.get(f'model{n_enhancers}_1.1.weight', state['model1_1.1.weight'])
    config = dict(type='LocalEnhancer', input_nc=first.shape[1], output_nc=_outputs(state, layers['head.conv']), ngf=first.shape[0],
                  n_down=n_down, n_blocks=n_blocks, n_enhancers=n_enhancers, n_local_blocks=n_local, norm=norm_of(state, 'model.2'))
    return Layout('GENERATORS', config, layers, notes=dropout_note(dropout))


def discriminator(state: State) -> Layout:
    """The layout of :class:`toolkit.discriminators.multiscale.MultiscaleDiscriminator`, stored with or without its features."""
    features = any(key.startswith('scale0_layer0.') for key in state)
    n_layers = highest(state, r'scale0_layer(\d+)\.') - 1 if features else (len(convolutions(state, 'layer0')) - 2)
    scales = highest(state, r'scale(\d+)_layer0\.' if features else r'layer(\d+)\.', n_layers + 2) + 1
    layers = {}
    for scale in range(scales):
        theirs = scales - 1 - scale
        if features:
            for layer in range(n_layers + 2):
                layers |= {f'scales.{scale}.layers.{layer}.{i}': f'scale{theirs}_layer{layer}.{i}' for i in (0, 1)}
        else:
            layers |= patch_layers(f'layer{theirs}', f'scales.{scale}', n_layers)
    first = state['scale0_layer0.0.weight' if features else 'layer0.0.weight']
    config = dict(type='MultiscaleDiscriminator', input_nc=first.shape[1], ndf=first.shape[0], n_layers=n_layers, num_scales=scales,
                  norm=norm_of(state, layers['scales.0.layers.1.1']) if n_layers > 0 else 'instance')
    return Layout('DISCRIMINATORS', config, layers)


def trunk_counts(state: State, prefix: str, source: str, head: bool) -> tuple[int, int, bool]:
    """Number of halvings and of residual blocks of a generator, and whether its blocks drop out.

    Args:
        state: of the file.
        prefix: of the Sequential.
        source: for messages.
        head: the last convolution is in it, too.

    Raises:
        InputError: not as many convolutions behind as before the blocks.
    """
    names = convolutions(state, prefix)
    inside = [name for name in names if '.conv_block.' in name]
    halvings, rest = divmod(len(names) - len(inside) - (2 if head else 1), 2)
    if rest or halvings < 0:
        raise unknown_network(state, source, CODE, 'a generator has as many convolutions that halve the size as that double it')
    return halvings, len({name.split('.conv_block.')[0] for name in inside}), any('.conv_block.6.' in f'{name}.' for name in inside)


def trunk_layers(theirs: str, ours: str, n_down: int, n_blocks: int, dropout: bool) -> tuple[dict[str, str], int]:
    """Layers of a generator up to its head: here -> there, and the index of what follows there.

    Args:
        theirs: prefix of the Sequential.
        ours: prefix here, with its dot.
        n_down, n_blocks, dropout: see :func:`trunk_counts`.
    """
    layers, index = {f'{ours}stem.0': f'{theirs}.1', f'{ours}stem.1': f'{theirs}.2'}, 4
    for level in range(n_down):
        layers |= {f'{ours}downs.{level}.0': f'{theirs}.{index}', f'{ours}downs.{level}.1': f'{theirs}.{index + 1}'}
        index += 3
    for block in range(n_blocks):
        layers |= block_layers(f'{theirs}.{index}', f'{ours}blocks.{block}', dropout)
        index += 1
    for level in range(n_down):
        layers |= {f'{ours}ups.{level}.conv': f'{theirs}.{index}', f'{ours}ups.{level}.norm': f'{theirs}.{index + 1}'}
        index += 3
    return layers, index


def block_layers(theirs: str, ours: str, dropout: bool) -> dict[str, str]:
    """Layers of a residual block: [border, 3x3, norm, ReLU, (dropout), border, 3x3, norm]."""
    second = 6 if dropout else 5
    return {f'{ours}.conv1': f'{theirs}.conv_block.1', f'{ours}.norm1': f'{theirs}.conv_block.2',
            f'{ours}.conv2': f'{theirs}.conv_block.{second}', f'{ours}.norm2': f'{theirs}.conv_block.{second + 1}'}


def patch_layers(theirs: str, ours: str, n_layers: int) -> dict[str, str]:
    """Layers of a PatchGAN in one Sequential: [4x4, LeakyReLU], [4x4, norm, LeakyReLU] ..., 4x4."""
    layers = {f'{ours}.layers.0.0': f'{theirs}.0'}
    for layer in range(1, n_layers + 1):
        layers |= {f'{ours}.layers.{layer}.{i}': f'{theirs}.{3 * layer - 1 + i}' for i in (0, 1)}
    return layers | {f'{ours}.layers.{n_layers + 1}.0': f'{theirs}.{3 * n_layers + 2}'}


def norm_of(state: State, layer: str) -> str:
    """Which norm a layer is: of both that are in use one alone has weights."""
    return 'batch' if f'{layer}.weight' in state else 'instance'


def dropout_note(dropout: bool) -> list[str]:
    """What to say about residual blocks with dropout."""
    return ['it was trained with dropout in its residual blocks; ours have none, so that a training goes on without'] if dropout else []


def _outputs(state: State, head: str) -> int:
    weight = state.get(f'{head}.weight')
    return 3 if weight is None else weight.shape[0]
