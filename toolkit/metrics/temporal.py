"""Temporal metrics: does the generated video move, and stand still, as the real one does?"""

import cv2
import numpy as np

from toolkit.metrics.base import ClipMetric, Definition, Measure, check_against, compared_with
from toolkit.metrics.lpips import SMALLEST_SIDE, LPIPSNetwork, described
from toolkit.metrics.pictures import DILATION, check_pair, dilate
from toolkit.registry import METRICS
from toolkit.structures import MissingWeightsError

FLOW_SIDE = 16


def temporal_difference(generated: np.ndarray, real: np.ndarray) -> np.ndarray:
    """tD of each frame step: ``mean | |g_t - g_{t-1}| - |r_t - r_{t-1}| |`` over pixels and channels.

    Args:
        generated, real: (T, H, W, 3) uint8, consecutive frames.

    Returns:
        (T - 1,) float64 in 0..255. Lower is better; 0 where the generated video changes exactly where and as much as the real one.

    Raises:
        TypeError, ValueError: see :func:`toolkit.metrics.pictures.check_pair`.
    """
    check_pair(generated, real)

    def change(frames: np.ndarray, t: int) -> np.ndarray:
        return np.abs(frames[t].astype(np.int16) - frames[t - 1])

    return np.array([np.abs(change(generated, t) - change(real, t)).mean() for t in range(1, len(real))], np.float64)


def flicker(frames: np.ndarray, background: np.ndarray) -> float:
    """Standard deviation over time, per pixel and channel, mean over a region that should stand still.

    Args:
        frames: (T, H, W, 3) uint8, T >= 2.
        background: (H, W) bool.

    Returns:
        Levels of 0..255. Lower is better; a static camera's own noise gives the floor.

    Raises:
        ValueError: fewer than two frames or an empty background.
    """
    if len(frames) < 2 or not background.any():
        raise ValueError(f'flicker needs two frames and a background, got {len(frames)} frames and {int(background.sum())} pixels')
    moments = Moments()
    moments.add(frames)
    return moments.deviation(background)


class Moments:
    """Mean and spread over time of each pixel and channel of frames that come in parts; sums of whole numbers, which are exact."""

    def __init__(self) -> None:
        self.count, self._sum, self._squares = 0, 0, 0

    def add(self, frames: np.ndarray) -> None:
        """Add frames (T, H, W, 3) uint8."""
        self.count += len(frames)
        for frame in frames:
            self._sum = self._sum + frame.astype(np.int64)
            self._squares = self._squares + np.square(frame, dtype=np.int64)

    def deviation(self, region: np.ndarray) -> float:
        """Standard deviation over time, mean over pixels (H, W) bool and channels."""
        total, squares = self._sum[region], self._squares[region]
        return float(np.sqrt(self.count * squares - total**2).mean() / self.count)


def optical_flow(frame: np.ndarray, previous: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Dense flow from a frame back to the one before it (DIS, Kroeger et al. 2016).

    Convention: ``frame(x, y) = previous(x + u, y + v)``, pixels, pixel centers at integers.

    Args:
        frame: (H, W, 3) uint8 RGB, sides of at least 16 pixels.
        previous: (H, W, 3) uint8 RGB.

    Returns:
        Flow (H, W, 2) float32, and (H, W) bool: where the flow back and forth agrees (|sum|^2 < 0.01 (|f|^2 + |b|^2) + 0.5, Sundaram et
        al. 2010) and points into the picture, so that neither occlusion nor the border spoils it.
    """
    gray, gray_previous = (cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in (frame, previous))
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    back, forth = dis.calc(gray, gray_previous, None), dis.calc(gray_previous, gray, None)
    height, width = gray.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    at_x, at_y = x + back[..., 0], y + back[..., 1]
    forth = cv2.remap(forth, at_x, at_y, cv2.INTER_LINEAR)
    square = np.square(back).sum(-1) + np.square(forth).sum(-1)
    inside = (at_x >= 0) & (at_x <= width - 1) & (at_y >= 0) & (at_y <= height - 1)
    return back, inside & (np.square(back + forth).sum(-1) < 0.01 * square + 0.5)


def warp_error(frame: np.ndarray, previous: np.ndarray, flow: np.ndarray, valid: np.ndarray) -> float:
    """Mean absolute difference between a frame and the one before it carried along the flow (Lai et al. 2018, who square it).

    Args:
        frame, previous: (H, W, 3) uint8.
        flow: (H, W, 2), see :func:`optical_flow`.
        valid: (H, W) bool, pixels that count.

    Returns:
        Levels of 0..255; NaN where no pixel counts. Lower is better, but a frozen video also scores low: read it beside ``tD``.
    """
    x, y = np.meshgrid(np.arange(flow.shape[1], dtype=np.float32), np.arange(flow.shape[0], dtype=np.float32))
    carried = cv2.remap(previous.astype(np.float32), x + flow[..., 0], y + flow[..., 1], cv2.INTER_LINEAR)
    return float(np.abs(frame.astype(np.float32) - carried)[valid].mean(dtype=np.float64)) if valid.any() else float('nan')


@METRICS.register_module()
class Temporal(ClipMetric):
    """tD, tLPIPS, background flicker and warp error; the last two also for the real video, as the reference to read them by.

    A step counts when both of its frames are scored, so that steps from the content frame do not.

    Args:
        net: network of tLPIPS, see :func:`toolkit.metrics.lpips.find_backbone`; without weights tLPIPS alone is 'n/a'.
        against: of a transfer: ``'input'`` takes the video that was translated for the real one, as its movement and its background
            are those that the result should have; ``'real'`` the true result where it is known.
        kwargs: of :class:`ClipMetric`.
    """

    default_prefix = 'temporal'

    def __init__(self, net: str = 'auto', against: str = 'real', **kwargs) -> None:
        super().__init__(**kwargs)
        check_against(against, 'Temporal')
        self.against = against
        try:
            self.network, self.no_network = LPIPSNetwork(net, self.device), ''
        except MissingWeightsError as error:
            self.network, self.no_network = None, str(error)
        network = described(self.network.name, self.network.path) if self.network else 'LPIPS v0.1'
        self.lpips_key = f'tlpips_{self.network.name}' if self.network else 'tlpips'
        video = 'real' if against == 'real' else 'input'
        outside = f"outside all {'true' if video == 'real' else 'input'} masks + {DILATION} px, levels of 0..255"
        warped = f'mean |v_t - warp(v_{{t-1}})|, DIS flow of the {video} video, no occlusions, levels of 0..255'
        self.definitions = {
            'td': Definition(f'mean ||g_t - g_{{t-1}}| - |r_t - r_{{t-1}}||, r the {video} video, levels of 0..255', 'lower', 'steps'),
            self.lpips_key: Definition(
                f'mean |LPIPS(g_t, g_{{t-1}}) - LPIPS(r_t, r_{{t-1}})|, r the {video} video, {network}', 'lower', 'steps'),
            'flicker': Definition(f'standard deviation over time {outside}', 'lower'),
            'flicker_real': Definition(f'the same of the {video.upper()} video {outside}', ''),
            'warp_error': Definition(warped, 'lower', 'steps'),
            'warp_error_real': Definition(f'the same of the {video.upper()} video: {warped}', '', 'steps'),
        }

    def update(self, state: dict, sample: dict) -> None:
        """Look at the steps of the next frames, the one from the last frame before them too."""
        sample = compared_with(sample, self.against)
        names = 'generated', 'real', 'scored'
        new = {name: sample[name] for name in names}
        if not state:
            state.update(size=sample['real'].shape[1:3], frames=0, person=np.zeros(sample['mask'].shape[1:], bool), td=[], lpips=[],
                         warp=[], warp_real=[], generated=Moments(), real=Moments())
        state['frames'] += int(new['scored'].sum())
        state['person'] |= sample['mask'][new['scored']].any(0)
        for name in names[:2]:
            state[name].add(new[name][new['scored']])
        if 'last' in state:
            new = {name: np.concatenate([state['last'][name], new[name]]) for name in names}
        state['last'] = {name: value[-1:].copy() for name, value in new.items()}
        self._look_at_steps(state, **new, clip=sample['clip'])

    def _look_at_steps(self, state: dict, generated: np.ndarray, real: np.ndarray, scored: np.ndarray, clip: str) -> None:
        steps, key = np.flatnonzero(scored[1:] & scored[:-1]) + 1, dict(clip=clip, real=real, scored=scored)
        if not len(steps):
            return
        state['td'].append(temporal_difference(generated, real)[steps - 1])
        if self.network is not None and min(state['size']) >= SMALLEST_SIDE:
            of_real = self.of_real('lpips', key, lambda: self.network.steps(real))
            state['lpips'].append(np.abs(self.network.steps(generated) - of_real)[steps - 1])
        if min(state['size']) >= FLOW_SIDE:
            flows = self.of_real('flow', key, lambda: [optical_flow(real[t], real[t - 1]) for t in steps])
            for name, frames in (('warp', generated), ('warp_real', real)):
                state[name].append(np.array([warp_error(frames[t], frames[t - 1], *flow) for t, flow in zip(steps, flows)]))

    def compute(self, state: dict) -> dict[str, Measure]:
        """The clip's means over frame steps."""
        if not state['td']:
            reason = 'the clip has no two consecutive frames besides its content frame'
            return {k: Measure(None, reason=reason) for k in self.definitions}
        size = '{}x{}'.format(*state['size'])

        def over_steps(name: str, reason: str) -> Measure:
            values = np.concatenate(state[name]) if state[name] else np.zeros(0)
            values = values[np.isfinite(values)]
            return Measure(float(values.mean()), state['frames'], len(values)) if len(values) else Measure(None, reason=reason)

        no_flow = 'the flow of the real video is nowhere consistent' if min(state['size']) >= FLOW_SIDE else \
            f'optical flow needs sides of at least {FLOW_SIDE} px, got {size}'
        no_lpips = f'LPIPS needs sides of at least {SMALLEST_SIDE} px, got {size}' if self.network is not None else self.no_network
        return {
            'td': over_steps('td', ''),
            self.lpips_key: over_steps('lpips', no_lpips),
            'flicker': self._flicker(state, 'generated'),
            'flicker_real': self._flicker(state, 'real'),
            'warp_error': over_steps('warp', no_flow),
            'warp_error_real': over_steps('warp_real', no_flow),
        }

    @staticmethod
    def _flicker(state: dict, name: str) -> Measure:
        background = ~dilate(state['person'][None])[0]
        if not background.any():
            return Measure(None, reason='the person covers the whole picture at one time or another: no background')
        return Measure(state[name].deviation(background), state['frames'])
