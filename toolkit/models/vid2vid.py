"""vid2vid: each frame is the last one, moved by a predicted flow, and painted where that does not do.

Source: Wang et al. 2018, Video-to-Video Synthesis, section 3.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn
from torch.utils.data import Dataset

from toolkit.fit import build_discriminator
from toolkit.generators.flow_generator import FLOW_UNIT, FlowGenerator, Moved, move
from toolkit.model_parts.classical_flow import batch_flow
from toolkit.models.adversaries import Adversaries
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import ADDED
from toolkit.models.painting import FramePainter
from toolkit.registry import MODELS
from toolkit.structures import InputError

TRIPLE = 3
"""Frames that a temporal discriminator sees together."""
EXPLAINED = 0.04
"""Difference of colors in [-1, 1] up to which a flow explains a pixel."""


@MODELS.register_module()
class Vid2Vid(Adversaries, VideoModel):
    r"""Paints ``x_t = (1 - m_t) w_t(x_{t-1}) + m_t h_t`` from the last L frames and L + 1 stick figures.

    h is painted, w a flow, m where to paint; before the first frame everything is painted. With ``foreground`` h is painted by two
    networks, one for the person, where the pose says so, and one for the scene, see
    :class:`toolkit.generators.flow_generator.FlowGenerator`.

    :math:`L = L_{I} + L_{V} + 10 L_W + 10 L_{FM} + 10 L_{VGG}`: a discriminator of single frames ``[F_t, x_t]``, one for each temporal
    scale of three frames with the flow between the real ones, and :math:`L_W = |w_t - \hat w_t| + |w_t(\hat x_{t-1}) - \hat x_t|`.

    The authors' code does more than their equations, and so does this: what is said of x_t, by the discriminator of frames and by
    losses of frames, is said of h_t too, so that it learns where the last frame is moved. :math:`10 |x_t - \hat w_t(x_{t-1})| + |m_t|`
    counts where the reference flow is believed: there a frame should be the last one, moved. Gradients do not flow into earlier frames.

    Where it differs from the paper and its code:

    - The reference flow is DIS of OpenCV instead of FlowNet2. It counts where it explains the real frame, as in the authors' code.
    - Temporal scale s takes every 2^s-th frame (theirs every 3^s-th), so that windows of 5 frames have two scales.
    - One spatial scale, trained at once; theirs grows from coarse to fine and from short to long videos.
    - The first frame is painted without another network for it. The foreground comes from the pose, with a margin, not from labels.

    Any losses can be listed in ``losses``, see :class:`toolkit.models.loss_table.LossTable`. They are offered:

    - ``frames``, of x and of h: ``fake``, ``real`` and ``conditions`` (N, 3, H, W) in [-1, 1]; ``masks`` (N, 1, H, W) and ``regions``
      (N, 2, H, W) in [0, 1]; ``poses`` (N, 18, 3); N = B T;
    - ``gan``, of x and of h: ``scores``, ``fake_features`` and ``real_features`` of the discriminator of frames;
    - ``temporal``: the same of each temporal scale; the values are added up;
    - ``flow``: ``fake``, ``real`` (N, 2, H, W) in pixels, N = B (T - 1), and ``masks`` (N, 1, H, W), where the reference is believed;
    - ``warp``: ``fake``, the last real frame as the predicted flow shows it, ``real``, the frame (N, 3, H, W), and ``masks``;
    - ``carried``: ``fake``, the frame x_t, ``real``, the generated frame before it as the reference flow shows it, and ``masks``;
    - ``painted``: ``fake``, m (N, 1, H, W), ``real``, zeros, and ``masks``.

    Args:
        generator: arguments of :class:`toolkit.generators.flow_generator.FlowGenerator`.
        discriminator: ``DISCRIMINATORS`` config of all discriminators; ``input_nc`` is filled in.
        losses: see above.
        temporal_scales: number of temporal discriminators.
        margin: how far around the pose's body the person may be, in heights of the frame.
        window: frames of a training window (T).
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: losses or options that cannot be.
    """

    offers = dict(
        frames=('fake', 'real', 'masks', 'regions', 'poses', 'conditions', ADDED), gan=('scores', 'fake_features', 'real_features'),
        temporal=('scores', 'fake_features', 'real_features'),
        **dict.fromkeys(('flow', 'warp', 'carried', 'painted'), ('fake', 'real', 'masks')))
    nested = dict(generator=FlowGenerator)
    opens_with = ('content',)
    paints_from = ('pose_maps', 'body_parts')

    def __init__(self, generator: dict, discriminator: dict, losses: dict, temporal_scales: int = 2, margin: float = 0.03,
                 window: int = 5, **kwargs) -> None:
        super().__init__(losses=losses, **kwargs)
        self.check_losses()
        if temporal_scales < 0 or margin < 0:
            raise InputError(f'model: temporal_scales={temporal_scales}, margin={margin}; expected numbers of at least 0')
        if (temporal := self.losses.of('temporal')) and not temporal_scales:
            raise InputError(f'model.losses.{temporal[0]} asks temporal discriminators, but model.temporal_scales=0: set it to 1 or '
                             f'more, or give {", ".join(temporal)} weight=0')
        longest = (TRIPLE - 1) * 2**(temporal_scales - 1) + 1 if temporal_scales else 2
        if window < longest:
            raise InputError(f'model.window={window}, but {temporal_scales} temporal scales need {longest} frames')
        self.window, self.margin, self.scales = window, margin, temporal_scales
        self.net_g = FlowGenerator(**generator)
        self.past = self.net_g.past
        self.net_d = build_discriminator(discriminator, 'Vid2Vid', 6)
        for scale in range(temporal_scales):
            setattr(self, f'net_d_time{scale}', build_discriminator(discriminator, 'Vid2Vid', 3 * TRIPLE + 2 * (TRIPLE - 1)))

    def check_data(self, dataset: Dataset) -> None:
        """As in the base class: windows must be as long as the model's."""
        given = getattr(dataset, 'window', self.window)
        if given != self.window:
            raise InputError(f'model.window={self.window}, but train_dataloader.dataset.window={given}: set both to the same number')

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of the generator, then one of all discriminators, as in the base class.

        ``g/share_painted`` is the mean of m behind the first frame, ``d/raw_*`` is what the discriminator of frames learns from h.
        """
        batch = self.data_preprocessor(data, True)
        figures, real = 2 * batch['pose_maps'] - 1, batch['frames']
        with optim_wrapper['g'].optim_context(self.net_g):
            made = self.unroll(self.net_g, figures, self.person(batch['body_parts']))
        reference = batch_flow(data['frames'], 1, real.device)
        *shown, truth = (torch.cat([figures, frames], 2).flatten(0, 1) for frames in (made.picture, made.raw, real))
        said = dict(zip(('', 'raw_'), self.ask_of_several(optim_wrapper, self.net_d, 'gan', shown, truth)))
        for scale in range(self.scales if self.losses.of('temporal') else 0):
            between = reference if scale == 0 else batch_flow(data['frames'], 2**scale, real.device)
            seen = [torch.cat(list(triples(frames, between, 2**scale))) for frames in (made.picture, real)]
            said[f'time{scale}_'] = self.ask(optim_wrapper, getattr(self, f'net_d_time{scale}'), 'temporal', *seen)
        given = {key: batch[key] for key in ('masks', 'regions', 'poses') if key in batch}
        found = [self._flow_losses(made, reference, real)]
        for fake in (made.picture, made.raw):
            maps = given | dict(fake=fake, real=real, conditions=figures)
            found.append(self.losses.compute('frames', {key: value.flatten(0, 1) for key, value in maps.items()}, batch))
        g = self.weighted(added_up(found))
        self.step(optim_wrapper, 'g', sum(answer.pulled for answer in said.values()) + sum(g.values()))
        d = {f'{name}{kind}': value for name, answer in said.items() for kind, value in answer.d.items()}
        if d:
            self.step(optim_wrapper, 'd', sum(d.values()))
        logs = self.logged(g=g | added_up(answer.g for answer in said.values()), d=d)
        return logs | {'g/share_painted': made.painted[:, 1:].detach().mean()}

    def _flow_losses(self, made: Moved, reference: Tensor, real: Tensor) -> dict[str, Tensor]:
        before, now = real[:, :-1].flatten(0, 1), real[:, 1:].flatten(0, 1)
        flow, reference, painted = (maps[:, 1:].flatten(0, 1) for maps in (made.flow, reference, made.painted))
        last, picture = made.picture[:, :-1].detach().flatten(0, 1), made.picture[:, 1:].flatten(0, 1)
        believed = ((move(before, reference) - now).abs().mean(1, keepdim=True) < EXPLAINED).float()
        pairs = dict(flow=(flow, reference), warp=(move(before, flow), now), carried=(picture, move(last, reference)),
                     painted=(painted, torch.zeros_like(painted)))
        return {name: value for group, (fake, wanted) in pairs.items()
                for name, value in self.losses.compute(group, dict(fake=fake, real=wanted, masks=believed)).items()}

    def person(self, labels: Tensor) -> Tensor:
        """Where the person may be: body parts (B, T, 1, H, W) of the poses, grown by the margin, as 0 and 1."""
        radius = round(self.margin * labels.shape[-2])
        return F.max_pool2d((labels > 0).float().flatten(0, 1), 2 * radius + 1, 1, radius).unflatten(0, labels.shape[:2])

    def unroll(self, net: nn.Module, figures: Tensor, person: Tensor, memory: list[Tensor] | None = None) -> Moved:
        """Paint a window frame after frame. Gradients do not flow from a frame into those before it.

        Args:
            net: the generator.
            figures: (B, T, 3, H, W) stick figures in [-1, 1].
            person: (B, T, 1, H, W) of :meth:`person`.
            memory: earlier figures and frames, (B, 3 L, H, W) each, newest first; taken over, and left as they are behind the window.
                An empty list begins a video.

        Returns:
            Each (B, T, C, H, W): frames x and what is painted, h, in [-1, 1], flow in pixels, and m.
        """
        memory = [] if memory is None else memory
        known = figures.new_full((len(figures), 1, 1, 1), float(bool(memory)))
        if not memory:
            nothing = figures.new_zeros(len(figures), 3 * self.past, *figures.shape[-2:])
            memory += [nothing - 1, nothing]
        made = []
        for t in range(figures.shape[1]):
            x = torch.cat([figures[:, t], memory[0]], 1)
            made.append(net(x, memory[1], person[:, t], known))
            memory[0] = x[:, :-3]
            memory[1] = torch.cat([made[-1].picture.detach(), memory[1][:, :-3]], 1)
            known = torch.ones_like(known)
        return Moved(*(torch.stack(parts, 1) for parts in zip(*made)))

    def open(self, content: dict) -> FramePainter:
        """As in the base class; the content is not looked at, poses were fitted to it. The painter remembers the last L frames."""
        @torch.no_grad()
        def paint(frame: dict, memory: list[Tensor] | None) -> tuple[np.ndarray, list[Tensor]]:
            memory = [] if memory is None else memory
            batch = self.data_preprocessor(frame)
            with self.evaluating(self.net_g), self.inference_context():
                made = self.unroll(self.net_g, 2 * batch['pose_maps'] - 1, self.person(batch['body_parts']), memory)
            return self.data_preprocessor.to_uint8(made.picture)[0, 0].numpy(), memory

        return FramePainter(paint)


def added_up(losses: Iterable[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Losses by name, those of one name added up."""
    total: dict[str, Tensor] = {}
    for name, value in (entry for values in losses for entry in values.items()):
        total[name] = total[name] + value if name in total else value
    return total


def triples(frames: Tensor, flow: Tensor, stride: int) -> Iterator[Tensor]:
    """What a temporal discriminator sees: three frames of one distance, and the flow from each to the one before.

    Args:
        frames: (B, T, 3, H, W).
        flow: (B, T, 2, H, W) in pixels, from each frame to the one ``stride`` before.
        stride: distance in frames.

    Yields:
        (B, 13, H, W) for each run.
    """
    for start in range(frames.shape[1] - (TRIPLE - 1) * stride):
        at = [start + i * stride for i in range(TRIPLE)]
        yield torch.cat([frames[:, at].flatten(1, 2), flow[:, at[1:]].flatten(1, 2) / FLOW_UNIT], 1)
