"""How much of the picture the person fills: needed to read masked scores."""

from toolkit.metrics.base import ClipMetric, Definition, Measure
from toolkit.metrics.pictures import DILATION, dilate
from toolkit.registry import METRICS


@METRICS.register_module()
class MaskArea(ClipMetric):
    """Mean share of the picture inside the true mask, dilated as the ``masked`` protocol dilates it."""

    default_prefix = 'mask'

    def __init__(self, **kwargs) -> None:
        super().__init__(**kwargs)
        self.definitions = {'area': Definition(f'share of the picture inside the true mask + {DILATION} px', '')}

    def update(self, state: dict, sample: dict) -> None:
        """Count pixels and frames."""
        mask = dilate(sample['mask'][sample['scored']])
        for key, count in (('inside', mask.sum()), ('all', mask.size), ('frames', len(mask))):
            state[key] = state.get(key, 0) + int(count)

    def compute(self, state: dict) -> dict[str, Measure]:
        """The clip's mean share."""
        return {'area': Measure(state['inside'] / state['all'], state['frames'])}
