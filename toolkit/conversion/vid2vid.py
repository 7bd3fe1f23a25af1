"""vid2vid (NVIDIA/vid2vid): known, and refused with the reason.

Its published pose models see a DensePose picture and a stick figure, 6 channels of each frame; those of ``--openpose_only`` have no
flow. :class:`toolkit.generators.flow_generator.FlowGenerator` sees stick figures alone, and has flow.
"""

from toolkit.conversion.layout import Layout, State, unknown_network
from toolkit.structures import InputError

CODE = 'vid2vid'
FIRST, FLOW, PERSON = 'model_down_seg.1.weight', 'model_final_flow.1.weight', 'indv_down.1.weight'
OURS = 'FlowGenerator of baselines/vid2vid sees stick figures alone, 3 channels of each frame, and predicts a flow'


def layout(state: State, source: str) -> Layout:
    """Refuse a generator of this code.

    Raises:
        InputError: always; the reason is in it.
    """
    if FIRST not in state:
        raise unknown_network(state, source, CODE, 'generator')
    shape = tuple(state[FIRST].shape)
    reason = f'{FIRST} is {shape}: it sees {shape[1]} channels, 6 of each frame in published pose models, with DensePose'
    if FLOW not in state:
        reason = f'it has no {FLOW.removesuffix(".1.weight")}: it predicts no flow, as --openpose_only wants it'
    elif PERSON in state:
        reason = f'{PERSON} is {tuple(state[PERSON].shape)}: its foreground is painted from all frames, at half the width'
    raise InputError(f'{source} is a generator of vid2vid that cannot be converted: {reason}. The {OURS}')
