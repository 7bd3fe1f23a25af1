"""Everybody Dance Now (carolineec/EverybodyDanceNow): ``latest_net_G.pth``, ``_D``, ``_Gface`` and ``_Dface``.

The networks are those of pix2pixHD. Its stick figures are in [0, 1], ours are in [-1, 1] at a network's input; the first convolutions
of a generator take that over exactly, because their border repeats the picture. The borders of a discriminator are 0, so that its
weights stay as they are. The discriminator of faces is one PatchGAN with batch norms.
"""

from torch import Tensor

from toolkit.conversion import pix2pixhd
from toolkit.conversion.layout import Layout, State, convolutions, unknown_network

CODE = 'Everybody Dance Now'
FACE = 'facemodel'
RANGE_NOTE = 'its conditions were in [0, 1] and are in [-1, 1] here: a training that goes on has to get used to it'


def layout(state: State, source: str) -> Layout:
    """Which network it is, see :mod:`toolkit.conversion`.

    Raises:
        InputError: none of this code.
    """
    if f'{FACE}.0.weight' in state:
        return face_discriminator(state)
    if 'model.model.0.weight' in state:
        raise unknown_network(state, source, CODE, 'the residual face generator; not the U-Net, which its authors did not use')
    found = pix2pixhd.layout(state, source)
    if found.part == 'DISCRIMINATORS':
        found.notes = [*found.notes, RANGE_NOTE]
        return found
    labels = found.config['input_nc'] - 3
    if labels < 1:
        raise unknown_network(state, source, CODE, 'a generator sees 4 or more channels: a stick figure and 3 of the picture before')
    for layer, theirs in found.layers.items():
        if layer.endswith('stem.0') and f'{theirs}.weight' in state and f'{theirs}.bias' in state:
            found.changed |= {f'{layer}.weight': _weight(theirs, labels), f'{layer}.bias': _bias(theirs, labels)}
    return found


def face_discriminator(state: State) -> Layout:
    """The layout of the discriminator of faces, of one scale."""
    n_layers = len(convolutions(state, FACE)) - 2
    first = state[f'{FACE}.0.weight']
    config = dict(type='MultiscaleDiscriminator', input_nc=first.shape[1], ndf=first.shape[0], n_layers=n_layers, num_scales=1,
                  norm=pix2pixhd.norm_of(state, f'{FACE}.3'))
    return Layout('DISCRIMINATORS', config, pix2pixhd.patch_layers(FACE, 'scales.0', n_layers), notes=[RANGE_NOTE])


def _weight(layer: str, labels: int):
    def halved(state: State) -> Tensor:
        weight = state[f'{layer}.weight'].clone()
        weight[:, :labels] /= 2
        return weight
    return halved


def _bias(layer: str, labels: int):
    def shifted(state: State) -> Tensor:
        return state[f'{layer}.bias'] + state[f'{layer}.weight'][:, :labels].sum((1, 2, 3)) / 2
    return shifted
