"""vid2vid (NVIDIA/vid2vid): known, and refused with the reason."""

from toolkit.conversion.layout import Layout, State, unknown_network
from toolkit.structures import InputError

CODE = 'vid2vid'


def layout(state: State, source: str) -> Layout:
    """Refuse a generator of this code.

    Raises:
        InputError: always; the reason is in it.
    """
    if any(key.startswith(('model_down_seg.', 'model_down_img.', 'model_final_flow.')) for key in state):
        raise InputError(f'{source} is a generator of vid2vid: it paints a picture, a flow and a mask of what the flow cannot explain, '
                         f'and no network of this toolkit has these three. It cannot be converted')
    raise unknown_network(state, source, CODE, 'generator')
