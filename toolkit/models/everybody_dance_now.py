"""Everybody Dance Now: two frames at a time from stick figures, then a second look at the face.

Source: Chan et al. 2019, Everybody Dance Now, section 4.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn
from torch.utils.data import Dataset

from toolkit.fit import build_discriminator, build_generator
from toolkit.generators.local_enhancer import LocalEnhancer
from toolkit.generators.pix2pixhd import GlobalGenerator
from toolkit.model_parts.face_crops import FaceCrops
from toolkit.models.adversaries import Adversaries
from toolkit.models.bare import bare
from toolkit.models.base import VideoModel
from toolkit.models.painting import FramePainter
from toolkit.models.video_pix2pixhd import pack
from toolkit.registry import MODELS
from toolkit.skeletons import K
from toolkit.structures import InputError

GLOBAL, LOCAL, FACE = range(3)
SEEN = 6
"""Channels of a stick figure and a picture."""


@MODELS.register_module()
class EverybodyDanceNow(Adversaries, VideoModel):
    r"""Paints ``v_t = G(F_t, v_{t-1})`` of one person; the discriminator sees ``[F_1, F_2, v_1, v_2]``; a face GAN adds a residual.

    One run has three stages:

    1. global: the trunk alone, with a head of its own, paints frames of half the size;
    2. local: the coarse-to-fine generator starts from that trunk and paints whole frames;
    3. face: G and D are fixed, a small generator learns the residual at the face, ``v + r(v_face, F_face)``, against a discriminator
       that sees ``[F_face, face]``. The second frame is painted from the first with its face, as in generation.

    :math:`L = L_{GAN} + 10 L_{FM} + 10 L_{VGG}`, over two frames; the mean of both in the global stage, their sum in the others, as
    in the authors' code. In the face stage losses of the face are added: what is said of whole frames teaches the residual, too, as in
    their code; the paper has the losses of the face alone. Gradients of the second frame reach the first. The frame before the first
    is gray (zeros).

    The pose of another person is normalized to the body and the floor of this one: generation does it for every method that takes a
    ``content``, see :mod:`toolkit.poses.retarget`. Of the content nothing but its poses is used.

    Where it differs from the paper and its code:

    - All stages are in one run, with the same discriminator; the authors have a run each. Theirs updates the generator twice an
      iteration by mistake. Their D learns in the face stage after ten epochs of it; the paper has five.
    - Stick figures are shown in [-1, 1] on black; theirs in [0, 1] on white.
    - Faces of any number of samples are cut out, each at its own place; the authors' code needs a batch of one. The side of the square
      is 64 pixels at 384 x 256, theirs is 128 at 512 x 1024.

    Any losses can be listed in ``losses``, see :class:`toolkit.models.loss_table.LossTable`. They are offered:

    - ``frames``: ``fake``, ``real``, ``conditions`` (N, 3, H, W) in [-1, 1]; ``masks`` (N, 1, H, W) and ``regions`` (N, 2, H, W) in
      [0, 1], N = 2 B; ``poses`` (N, 18, 3) in pixels;
    - ``gan``: ``scores``, ``fake_features`` and ``real_features`` of the discriminator of two frames;
    - ``face_frames``: ``fake``, ``real`` (N, 3, S, S), faces; ``face``: as ``gan``, of the discriminator of faces.

    Args:
        generator: arguments of :class:`toolkit.generators.local_enhancer.LocalEnhancer`.
        discriminator: ``DISCRIMINATORS`` config; ``input_nc`` is filled in: 12.
        losses: see above.
        face_generator: ``GENERATORS`` config; ``input_nc`` is filled in: 6. None leaves the face as it is.
        face_discriminator: ``DISCRIMINATORS`` config; ``input_nc`` is filled in: 6.
        face_size: side of the face's square, in pixels.
        stages: shares of the run at which the local and the face stage begin. (0, 1) is the local stage alone. A run that starts from
            trained weights (``load_from``) begins at 0 best: the trunk of a global stage takes the place of the trained one.
        window: frames of a training window.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: losses or options that cannot be, or that do not go together.
    """

    offers = dict(
        frames=('fake', 'real', 'masks', 'regions', 'poses', 'conditions'), gan=('scores', 'fake_features', 'real_features'),
        face_frames=('fake', 'real'), face=('scores', 'fake_features', 'real_features'))
    nested = dict(generator=LocalEnhancer)
    opens_with = ('content',)
    paints_from = ('poses', 'pose_maps')

    def __init__(self, generator: dict, discriminator: dict, losses: dict, face_generator: dict | None = None,
                 face_discriminator: dict | None = None, face_size: int = 64, stages: tuple[float, float] = (0.125, 0.875),
                 window: int = 2, **kwargs) -> None:
        super().__init__(losses=losses, **kwargs)
        self.check_losses()
        if len(stages) != 2 or not 0 <= stages[0] <= stages[1] <= 1:
            raise InputError(f'model.stages={tuple(stages)}, expected two rising shares of the run, from 0 to 1')
        if (face_generator is None) != (face_discriminator is None):
            raise InputError('model.face_generator and model.face_discriminator go together: give both, or none')
        if face_generator is not None and not (self.losses.of('face') or self.losses.of('face_frames')):
            raise InputError('model.face_generator without a loss of="face" or of="face_frames": it would not learn')
        self.window, self.stages, self.face_size, self.with_face = window, tuple(stages), face_size, face_generator is not None
        self.net_g = LocalEnhancer(SEEN, **generator)
        self.net_g_coarse = GlobalGenerator(SEEN, **_of_trunk(generator))
        self.net_d = build_discriminator(discriminator, 'EverybodyDanceNow', window * SEEN)
        if self.with_face:
            self.net_g_face = build_generator(face_generator, 'EverybodyDanceNow', SEEN, (), 'model.face_generator')
            self.net_d_face = build_discriminator(face_discriminator, 'EverybodyDanceNow', SEEN, 'model.face_discriminator')
        self.register_buffer('reached', torch.zeros((), dtype=torch.long))
        self.set_train_state(seed=0, rank=0, iteration=int(500 * sum(stages)), max_iters=1000)  # cost is counted in the local stage

    def check_data(self, dataset: Dataset) -> None:
        """As in the base class: the discriminator is made for windows of :attr:`window` frames, and faces must fit, whose stage begins
        late in a run."""
        given = getattr(dataset, 'window', self.window)
        if given != self.window:
            raise InputError(f'model.window={self.window}, but train_dataloader.dataset.window={given}: set both to the same number')
        if self.with_face and self.stages[1] < 1:
            self._check_faces(*dataset[0]['frames'].shape[-2:])

    @torch.no_grad()
    def _check_faces(self, height: int, width: int) -> None:
        """Refuse squares that are larger than the frames, or that the networks of faces cannot take."""
        side = self.face_size
        FaceCrops(torch.zeros(1, K, 3), side, height, width)
        for network in (bare(self.net_g_face), bare(self.net_d_face)):
            face = torch.zeros(1, SEEN, side, side, device=next(network.parameters()).device)
            try:
                with self.evaluating(network):
                    network.forward(face)
            except (InputError, RuntimeError) as error:
                raise InputError(f'model.face_size={side} does not fit {type(network).__name__}: {error}') from error

    @property
    def stage(self) -> int:
        """Of this iteration: 0 global, 1 local, 2 face."""
        return FACE if self.with_face and self.progress >= self.stages[1] else LOCAL if self.progress >= self.stages[0] else GLOBAL

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of the networks of the stage, generators first, as in the base class."""
        if self.stage >= LOCAL > int(self.reached) and self.stages[0] > 0:
            bare(self.net_g).trunk.load_state_dict(bare(self.net_g_coarse).trunk.state_dict())
        self.reached.fill_(self.stage)
        batch = self.data_preprocessor(data, True)
        if self.stage == FACE:
            return self._face_step(batch, optim_wrapper)
        net, cell = (self.net_g, 1) if self.stage == LOCAL else (self.net_g_coarse, 2**bare(self.net_g).n_enhancers)
        figures, real = (smaller(batch[key], cell) for key in ('pose_maps', 'frames'))
        figures = 2 * figures - 1
        with optim_wrapper['g'].optim_context(net):
            fake = unroll(net, figures)
        said = self.ask(optim_wrapper, self.net_d, 'gan', pack(figures, fake.float()), pack(figures, real))
        return self.learn_from(optim_wrapper, self._of_frames(batch, figures, fake, real, cell), said)

    def _of_frames(self, batch: dict, figures: Tensor, fake: Tensor, real: Tensor, cell: int = 1) -> dict[str, Tensor]:
        """Losses of single frames, not weighted: their mean over the window, or, behind the global stage, their sum."""
        given = {key: smaller(batch[key], cell).flatten(0, 1) for key in ('masks', 'regions') if key in batch}
        poses = batch['poses'].flatten(0, 1)
        given['poses'] = torch.cat([(poses[..., :2] + 0.5) / cell - 0.5, poses[..., 2:]], -1)
        given |= {name: maps.flatten(0, 1) for name, maps in (('fake', fake), ('real', real), ('conditions', figures))}
        scale = 1 if self.stage == GLOBAL else self.window
        return {name: scale * loss for name, loss in self.losses.compute('frames', given).items()}

    def _face_step(self, batch: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """The face stage: the main generator paints and passes gradients on, but neither it nor its discriminator learns."""
        figures, real, net = 2 * batch['pose_maps'] - 1, batch['frames'], bare(self.net_g)

        def with_face(picture: Tensor, t: int) -> Tensor:
            return self._with_face(self.net_g_face, picture.float(), figures[:, t], batch['poses'][:, t])

        with self.frozen(net), self.evaluating(net), optim_wrapper['g'].optim_context(self.net_g_face):
            fake = unroll(net, figures, finish=with_face)
        whole = self.ask(optim_wrapper, self.net_d, 'gan', pack(figures, fake), pack(figures, real), learns=False)
        g = self._of_frames(batch, figures, fake, real)
        crops = FaceCrops(batch['poses'].flatten(0, 1), self.face_size, *figures.shape[-2:])
        figure, fake, real = (crops.cut(maps.flatten(0, 1)) for maps in (figures, fake, real))
        face = self.ask(optim_wrapper, self.net_d_face, 'face', torch.cat([figure, fake], 1), torch.cat([figure, real], 1))
        g = self.weighted(g | self.losses.compute('face_frames', dict(fake=fake, real=real)))
        self.step(optim_wrapper, 'g', whole.pulled + face.pulled + sum(g.values()))
        if face.d:
            self.step(optim_wrapper, 'd', sum(face.d.values()))
        return self.logged(g=whole.g | face.g | g, d={f'face_{name}': value for name, value in face.d.items()})

    def open(self, content: dict) -> FramePainter:
        """As in the base class; the content is not looked at, poses were fitted to it.

        Each frame is painted from the one before, with its face; in the global stage in half the size, enlarged.
        """
        coarse = int(self.reached) == GLOBAL and self.stages[0] > 0
        net, cell = bare(self.net_g_coarse if coarse else self.net_g), 2**bare(self.net_g).n_enhancers if coarse else 1

        @torch.no_grad()
        def paint(frame: dict, previous: Tensor | None) -> tuple[np.ndarray, Tensor]:
            batch = self.data_preprocessor(frame)
            figures = 2 * smaller(batch['pose_maps'], cell) - 1
            with self.evaluating(net), self.inference_context():
                picture = unroll(net, figures, previous)[:, 0].float()
            if int(self.reached) == FACE:
                net_face = bare(self.net_g_face)
                with self.evaluating(net_face), self.inference_context():
                    picture = self._with_face(net_face, picture, figures[:, 0], batch['poses'][:, 0])
            whole = F.interpolate(picture, scale_factor=cell, mode='bilinear') if cell > 1 else picture
            return self.data_preprocessor.to_uint8(whole)[0].numpy(), picture

        return FramePainter(paint)

    def _with_face(self, net: nn.Module, picture: Tensor, figure: Tensor, poses: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) with the residual that a network gives their faces."""
        crops = FaceCrops(poses, self.face_size, *picture.shape[-2:])
        return crops.add(picture, net(torch.cat([crops.cut(figure), crops.cut(picture)], 1)).float())


def unroll(net: nn.Module, figures: Tensor, previous: Tensor | None = None,
           finish: Callable[[Tensor, int], Tensor] = lambda picture, t: picture) -> Tensor:
    """Paint a window frame after frame, gradients flowing through all of them.

    Args:
        net: the generator.
        figures: (B, T, 3, H, W) stick figures in [-1, 1].
        previous: (B, 3, H, W), the frame before the first; None for gray.
        finish: called with a frame as the generator paints it and its number; what it returns takes its place.

    Returns:
        (B, T, 3, H, W) in [-1, 1].
    """
    previous, frames = torch.zeros_like(figures[:, 0]) if previous is None else previous, []
    for t in range(figures.shape[1]):
        previous = finish(net(torch.cat([figures[:, t], previous.to(figures.dtype)], 1)), t)
        frames.append(previous)
    return torch.stack(frames, 1)


def smaller(maps: Tensor, cell: int) -> Tensor:
    """Means over squares of ``cell`` pixels, (B, T, C, H, W) -> (B, T, C, H / cell, W / cell)."""
    return maps if cell == 1 else F.avg_pool2d(maps.flatten(0, 1), cell).unflatten(0, maps.shape[:2])


def _of_trunk(generator: dict) -> dict:
    """Arguments of the global generator whose trunk is that of a coarse-to-fine generator."""
    coarse = {key: value for key, value in generator.items() if key not in ('n_enhancers', 'n_local_blocks')}
    return dict(coarse, ngf=generator.get('ngf', 32) * 2**generator.get('n_enhancers', 1))
