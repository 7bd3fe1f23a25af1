"""The video generator: pix2pixHD that paints a frame from its feature map, a color code and its own previous frame.

Sources: pix2pixHD (Wang et al. 2018), the two-frame scheme of Everybody Dance Now (Chan et al. 2019, section 4), and stage II of
*Disentangled Human Action Video Generation via Decoupled Learning* (Yang et al. 2019, section 3.2).
"""

from functools import partial

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn
from torch.utils.data import Dataset

from toolkit import fields
from toolkit.fit import build_discriminator, build_generator
from toolkit.machine import on_device
from toolkit.model_parts.color_codes import ColorCodes
from toolkit.model_parts.detail_crops import DetailCrops
from toolkit.model_parts.discriminator_view import DiscriminatorView, Shown
from toolkit.model_parts.feature_curriculum import FeatureCurriculum
from toolkit.model_parts.feature_maps import FeatureMaps
from toolkit.model_parts.gradient_penalty import R1Penalty
from toolkit.models.adversaries import Adversaries, Said, only_trains
from toolkit.models.bare import bare
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import ADDED
from toolkit.models.video_painter import VideoPainter
from toolkit.registry import MODELS
from toolkit.structures import InputError

CURRICULUM_SALT, VIEW_SALT = 7, 8
CONTENT = ('content_frame', 'content_regions', 'content_mask')
"""What color codes are made of."""
POSES = ('poses', 'content_pose', 'reference_poses')
FIRST_FRAMES = {'zeros': 0.0, 'black': -1.0}


@MODELS.register_module()
class VideoPix2PixHD(Adversaries, VideoModel):
    """pix2pixHD over windows of consecutive frames, with a discriminator that sees the frames of a window together.

    Each frame is ``v_t = G([F_t, v_{t-1}], z)``; the frame before the first is a constant picture. The previous frame is not detached:
    what is wrong in the second frame also teaches the first. The discriminator sees ``[F_1 .. F_T, v_1 .. v_T]`` over channels.

    With ``color_codes``, z is the code of the clothes in the content frame, which a transform recolors together with the window. It
    is the same for all frames of a clip, and a ``z`` in the batch takes its place. Without, the generator has no z.

    With ``feature_maps=dict(references=2, plate=True)`` F also holds pixels of the same person and the empty scene, and a generator
    such as :class:`toolkit.generators.blend.BlendGenerator` copies from them. Discriminators see the maps of F without these textures.

    Any losses can be listed in ``losses``, under any names, see :class:`toolkit.models.loss_table.LossTable`. They are offered:

    - ``frames``: each frame of the window by itself, N = B T: ``fake``, ``real`` (N, 3, H, W) and ``conditions``, F (N, C, H, W), in
      [-1, 1]; ``masks`` (N, 1, H, W), where the person is, and ``regions`` (N, 2, H, W) of the clothes, in [0, 1]; ``poses``
      (N, 18, 3). The losses are averaged over the window (``frame_reduce='mean'``) or summed over it (``'sum'``, as the authors of
      Everybody Dance Now do for the local enhancer). With a generator that blends over a plate also ``mattes`` (N, 1, H, W) in [0, 1];
    - ``gan``: the discriminator of whole windows: ``scores``, ``fake_features`` and ``real_features``. Without a loss of ``scores`` no
      discriminator is trained;
    - ``details``: the same of ``detail_discriminator``, where there is one.

    Args:
        generator: ``GENERATORS`` config; its ``input_nc`` is filled in (channels of F + 3).
        discriminator: ``DISCRIMINATORS`` config; its ``input_nc`` is filled in for windows of ``window`` frames. None where no loss
            asks one; there is no optimizer ``d`` then.
        losses: see above.
        color_codes: arguments of :class:`toolkit.model_parts.color_codes.ColorCodes`; None for a generator that learns the clothes as
            they are. The generator's ``z_dims`` are filled in. With ``frozen=False`` the optimizer ``g`` trains ``color_codes`` along.
        feature_maps: arguments of :class:`toolkit.model_parts.feature_maps.FeatureMaps`.
        curriculum: arguments of :class:`toolkit.model_parts.feature_curriculum.FeatureCurriculum`; None trains on what
            generation uses.
        discriminator_view: arguments of :class:`toolkit.model_parts.discriminator_view.DiscriminatorView`; None shows whole frames.
        r1: arguments of :class:`toolkit.model_parts.gradient_penalty.R1Penalty` for the discriminator; None for none.
        detail_crops: arguments of :class:`toolkit.model_parts.detail_crops.DetailCrops`, what a second discriminator sees: head and
            hands, enlarged; None for none.
        detail_discriminator: ``DISCRIMINATORS`` config of that one, trained by the optimizer ``d`` as ``net_d_details``; ``input_nc``
            is filled in.
        window: frames of a training window (T).
        v0: the frame before the first: ``'zeros'`` (mid-gray, what both official codes do) or ``'black'`` (what the paper says).
            Training and generation share it, and it is stored in checkpoints with the config.
        frame_reduce: ``'mean'`` or ``'sum'``, see above.
        ema: decay of the exponential moving average of the generator that generation uses; None for none.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: losses or options that cannot be, or that do not go together.
    """

    offers = dict(
        frames=('fake', 'real', 'masks', 'regions', 'poses', 'conditions', 'mattes', ADDED),
        gan=('scores', 'fake_features', 'real_features'))

    recordable = True
    nested = dict(feature_maps=FeatureMaps, curriculum=FeatureCurriculum, color_codes=ColorCodes, discriminator_view=DiscriminatorView,
                  r1=R1Penalty, detail_crops=DetailCrops)

    def __init__(self, generator: dict, discriminator: dict | None, losses: dict, color_codes: dict | None = None,
                 feature_maps: dict | None = None, curriculum: dict | None = None, discriminator_view: dict | None = None,
                 r1: dict | None = None, detail_crops: dict | None = None, detail_discriminator: dict | None = None,
                 window: int = 2, v0: str = 'zeros', frame_reduce: str = 'mean', ema: float | None = 0.999, **kwargs) -> None:
        codes = None if color_codes is None else ColorCodes(**color_codes)
        if detail_crops is not None or detail_discriminator is not None:
            self.offers = dict(self.offers, details=self.offers['gan'])
        super().__init__(losses=losses, **kwargs)
        self.losses.check_some()
        self.adversarial = self.losses.adversarial('gan')
        if self.adversarial is not None and discriminator is None:
            raise InputError(f'model.losses.{self.adversarial} asks a discriminator, but model.discriminator=None: give one, or set '
                             f'model.losses.{self.adversarial}.weight=0')
        if self.adversarial is None and discriminator is not None:
            print_log('no loss of a weight above 0 asks the discriminator: net_d is not trained', 'current')
        if v0 not in FIRST_FRAMES:
            raise InputError(f'model.v0 must be one of {", ".join(FIRST_FRAMES)}, got {v0!r}')
        if frame_reduce not in ('mean', 'sum'):
            raise InputError(f'model.frame_reduce must be mean or sum, got {frame_reduce!r}')
        if window < 1:
            raise InputError(f'model.window={window}, expected at least 1 frame')
        self.feature_maps = FeatureMaps(**(feature_maps or {}))
        self.curriculum = None if curriculum is None else FeatureCurriculum(**curriculum)
        self.discriminator_view = None if discriminator_view is None else DiscriminatorView(**discriminator_view)
        self.r1 = None if r1 is None else R1Penalty(**r1)
        self.detail_crops = None if detail_crops is None else DetailCrops(**detail_crops)
        self._check_options(detail_discriminator)
        self.window = window
        self.v0 = v0
        self.frame_scale = 1 if frame_reduce == 'mean' else window
        channels, textures = self.feature_maps.channels, self.feature_maps.textures
        self.color_codes, self.codes_learn = codes, codes is not None and not codes.frozen
        z_dims = None if codes is None else codes.z_dims
        layout = {} if textures is None else dict(
            first=self.feature_maps.map_channels, references=textures.references, plate=textures.plate, garments=textures.lightness)
        self.net_g = build_generator(generator, 'VideoPix2PixHD', channels + 3, z_dims, offered=layout)
        self.with_mattes = self.losses.takes('frames', 'mattes')
        if self.with_mattes and not getattr(self.net_g, 'plate', False):
            raise InputError('model.losses wants mattes, but the generator has none: take a BlendGenerator and '
                             'feature_maps=dict(plate=True)')
        seen = window * (self.feature_maps.map_channels + 3)
        if discriminator is not None:
            self.net_d = build_discriminator(discriminator, 'VideoPix2PixHD', seen)
        if self.detail_crops is not None:
            self.net_d_details = build_discriminator(detail_discriminator, 'VideoPix2PixHD', seen, 'model.detail_discriminator')
        self.ema_decay = self.averaging(ema)
        if ema is not None:
            self.net_g_ema = self.ema_copy(self.net_g)
            if self.codes_learn:
                self.color_codes_ema = self.ema_copy(self.color_codes)

    def _check_options(self, detail_discriminator: dict | None) -> None:
        """Refuse what would do nothing: a discriminator without crops or losses, a penalty or a view of one that does not learn, a
        curriculum of maps that are equal."""
        if (self.detail_crops is None) != (detail_discriminator is None):
            raise InputError('model.detail_crops and model.detail_discriminator go together: give both, or none')
        if self.detail_crops is not None and self.losses.adversarial('details') is None:
            raise InputError("model.detail_crops needs a GANLoss of='details', from which its discriminator learns: add one, or leave "
                             'model.detail_crops and model.detail_discriminator out')
        if self.r1 is not None and self.adversarial is None:
            raise InputError("model.r1 keeps the discriminator smooth, but no loss of='gan' trains one: add a GANLoss, or leave r1 out")
        if self.discriminator_view is not None and self.adversarial is None:
            raise InputError("model.discriminator_view says what the discriminator is shown, but no loss of='gan' trains one: add a "
                             'GANLoss, or set model.discriminator_view=None')
        if self.curriculum is not None and self.feature_maps.always_real:
            raise InputError(f'model.curriculum shows real maps at first, but with edge_channel={self.feature_maps.edge_channel!r} and '
                             f"pose_channels='rendered' of model.feature_maps all maps are those of the real frames: leave it out")

    def check_data(self, dataset: Dataset) -> None:
        """As in the base class: the discriminator is made for windows of :attr:`window` frames, and textures need their fields."""
        given = getattr(dataset, 'window', self.window)
        if given != self.window:
            raise InputError(f'model.window={self.window}, but train_dataloader.dataset.window={given}: set both to the same number')
        parts = getattr(dataset, 'parts', None)
        for part in parts.values() if isinstance(parts, dict) else [dataset]:
            self._check_textures(part)

    def _check_textures(self, dataset: Dataset) -> None:
        """Refuse a data set that lacks what textures are made of, or gives what the model does not look at."""
        textures = self.feature_maps.textures
        if getattr(getattr(dataset, 'references', None), 'garments', False) and not (textures and textures.lightness):
            raise InputError('the data set finds the garments of references (references.garments), but the model does not look at '
                             'them: set model.feature_maps.texture_lightness, too, or leave references.garments out')
        if getattr(getattr(dataset, 'references', None), 'figure', False) and not (textures and textures.fill):
            raise InputError('the data set gives the whole figure of a person (references.figure), but the model fills no holes with '
                             'it: set model.feature_maps.texture_fill, too, or leave references.figure out')
        for option, takes in (('references', textures and textures.references), ('plate', textures and textures.plate)):
            given = getattr(dataset, option, None)
            if getattr(given, 'count', given) and not takes:
                raise InputError(f'the data set gives {option}, but the model takes none: set model.feature_maps.{option}, too, or '
                                 f'leave {option} out of the data set')
        if textures is not None:
            textures.check(dataset[0])

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of the generator, then one of the discriminator, as in the base class.

        Raises:
            InputError: other optimizers, which would never be stepped; codes in the batch for encoders that are to learn.
        """
        learning = ('g', 'd') if any(only_trains(name) for name, _ in self.named_children()) else ('g',)
        if set(optim_wrapper.keys()) != set(learning):
            raise InputError(f'optim_wrapper has the entries {", ".join(optim_wrapper.keys())}, expected {" and ".join(learning)}; '
                             f'color_codes that are trained belong to the networks of g')
        given = self._given(data, optim_wrapper)
        logs = self.learning(self._learn, given, optim_wrapper)
        if self.ema_decay is not None:
            self.update_ema(self.net_g, self.net_g_ema, self.ema_decay, optim_wrapper['g'])
            if hasattr(self, 'color_codes_ema'):
                self.update_ema(self.color_codes, self.color_codes_ema, self.ema_decay, optim_wrapper['g'])
        return logs

    def _given(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict:
        """What a step learns from: F, what the discriminators are shown, and the entries of the batch that are needed still."""
        batch = self.data_preprocessor(data, True)
        if 'z' in batch and self.codes_learn:
            raise InputError('the dataset gives codes (z), so that the encoders of model.color_codes would never be used and not '
                             'learn: leave z out of the batches, or set model.color_codes.frozen to True')
        on_cpu = {key: data[key] for key in POSES if key in data}  # transforms of parts are found without waiting for a GPU
        with optim_wrapper['g'].optim_context(self.net_g):
            features = 2 * self.training_features(type(batch)(batch, **on_cpu)) - 1
        shown = squares = None
        if self.adversarial and self.discriminator_view is not None:
            shown = self.discriminator_view.of(batch, partial(self.randn, salt=VIEW_SALT), data['masks'])
        if self.detail_crops is not None:
            squares = on_device(self.detail_crops.squares(data['poses']), features.device)
        keys = ('frames', 'masks', 'regions', 'poses', 'z', *CONTENT, *self.losses.added_fields)
        return dict(features=features, shown=shown, squares=squares, batch={key: batch[key] for key in keys if key in batch},
                    r1=self.r1 is not None and self.r1.due(self.iteration))

    def _learn(self, given: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Losses and updates, see :meth:`toolkit.models.base.VideoModel.learning`.

        G's picture goes through the discriminator once: what it says teaches G, then the discriminator itself.
        """
        features, shown, batch = given['features'], given['shown'], given['batch']
        conditions, real = features[:, :, :self.feature_maps.map_channels], batch['frames']
        if self.adversarial:
            with optim_wrapper['d'].optim_context(self.net_d):
                real_scores = self.net_d(pack(conditions, real, shown))
        with optim_wrapper['g'].optim_context(self.color_codes):
            z = self.code(batch, self.color_codes)
        with optim_wrapper['g'].optim_context(self.net_g):
            fake = self.unroll(self.net_g, features, batch.get('regions'), z, with_mattes=self.with_mattes)
        fake, mattes = fake.split([3, fake.shape[2] - 3], 2)
        g, pulled, details = {}, 0, Said({}, 0.0, {})
        if self.adversarial:
            seen = fake.detach().requires_grad_()
            with optim_wrapper['d'].optim_context(self.net_d):
                fake_scores = self.net_d(pack(conditions, seen, shown))
            g = self.weighted(self.losses.compute(
                'gan', dict(scores=fake_scores, fake_features=fake_scores, real_features=real_scores)))
            pulled = self.pull(optim_wrapper['g'], g, seen, fake)
        if self.detail_crops is not None:
            crops = [self.detail_crops(pack(conditions, frames), given['squares']) for frames in (fake.float(), real)]
            details = self.ask(optim_wrapper, self.net_d_details, 'details', *crops)
        frames = dict(fake=fake, real=real, conditions=features, **{k: batch[k] for k in ('masks', 'regions', 'poses') if k in batch})
        if self.with_mattes:
            frames['mattes'] = mattes
        frames = self.losses.compute('frames', {key: value.flatten(0, 1) for key, value in frames.items()}, batch)
        rest = self.weighted({name: self.frame_scale * loss for name, loss in frames.items()})
        self.step(optim_wrapper, 'g', pulled + details.pulled + sum(rest.values()))

        d = {}
        if self.adversarial:
            gan = self.losses[self.adversarial]
            d = {'fake': 0.5 * gan(fake_scores, real=False, for_discriminator=True),
                 'real': 0.5 * gan(real_scores, real=True, for_discriminator=True)}
            if given['r1']:
                d['r1'] = self.r1(self.net_d, pack(conditions, real, shown), slice(-3 * self.window, None))
        d |= {f'details_{name}': loss for name, loss in details.d.items()}
        if d:
            self.step(optim_wrapper, 'd', sum(d.values()))
        if self.color_codes is not None:
            bare(self.color_codes).observe(z)
        return self.logged(g=g | details.g | rest, d=d)

    def training_features(self, batch: dict) -> Tensor:
        """F of a preprocessed batch as training takes it: real for some samples where there is a curriculum."""
        features = self.feature_maps(batch)
        if self.curriculum is None:
            return features
        noise = self.randn(len(features), salt=CURRICULUM_SALT)
        return self.curriculum.mix(features, self.feature_maps.real(batch), self.iteration, noise)

    @staticmethod
    def code(batch: dict, codes: nn.Module | None) -> Tensor | None:
        """The code of a preprocessed batch: its own ``z`` (B, D), or that of its content frames, or None for a model without."""
        if 'z' in batch or codes is None:
            return batch.get('z')
        return codes(batch['content_frame'], batch['content_regions'], batch['content_mask'])

    def unroll(self, net: nn.Module, features: Tensor, regions: Tensor | None, z: Tensor | None,
               previous: Tensor | None = None, with_mattes: bool = False) -> Tensor:
        """Generate the frames of a window one after the other, gradients flowing through all of them.

        Args:
            net: the generator.
            features: (B, T, C, H, W) in [-1, 1].
            regions: (B, T, 2, H, W) in [0, 1], or None where the generator takes no code.
            z: (B, D), or None.
            previous: (B, 3, H, W), the frame before the first; None for the constant picture ``v0``.
            with_mattes: behind each picture its matte, of a generator that blends.

        Returns:
            (B, T, 3, H, W) in [-1, 1]; with mattes (B, T, 4, H, W), the last channel in [0, 1].
        """
        options = dict(with_matte=True) if with_mattes else {}
        if previous is None:
            previous = features.new_full((features.shape[0], 3, *features.shape[-2:]), FIRST_FRAMES[self.v0])
        frames = []
        for t in range(features.shape[1]):
            x = torch.cat([features[:, t], previous.to(features.dtype)], 1)
            painted = net(x, **options) if z is None else net(x, z, None if regions is None else regions[:, t], **options)
            frames.append(painted)
            previous = painted[:, :3]
        return torch.stack(frames, 1)

    @property
    def opens_with(self) -> tuple[str, ...]:
        """As in the base class: the content frame, a code, and what textures need once a video."""
        textures = self.feature_maps.textures
        return 'content', 'z', *(() if textures is None else textures.item_keys)

    @property
    def paints_from(self) -> tuple[str, ...]:
        """As in the base class: what a pose tells, and what F takes of the target frames."""
        poses = fields.keys(fields.FRAME, source='stored', kind='pose')
        return *poses, *fields.keys(fields.FRAME, source='drawn'), *self.feature_maps.target_keys

    @property
    def references(self) -> int:
        """As in the base class."""
        return 0 if self.feature_maps.textures is None else self.feature_maps.textures.references

    @property
    def fills(self) -> bool:
        """As in the base class."""
        return self.feature_maps.textures is not None and self.feature_maps.textures.fill

    def check_generates(self) -> None:
        """As in the base class."""
        if self.feature_maps.needs_target_frames:
            raise InputError("this model was trained with edge_channel='real': it needs the edges of the very frames, an upper bound "
                             'for comparison; train one with warped edges to generate')

    @torch.no_grad()
    def open(self, content: dict, z: Tensor | None = None, plate: Tensor | None = None) -> VideoPainter:
        """Begin a video, see :meth:`toolkit.models.base.VideoModel.open`.

        Args:
            content: the ``content_*`` entries of a dataset item with a batch axis of 1 (uint8 maps as datasets yield them).
            z: (1, D) color code, or (T, D), one for each frame; None takes that of the content frame.
            plate: (1, 3, H, W) uint8, the empty scene, for a model that has it in F.

        Returns:
            The painter. Each frame is painted from the one before, or, with windows of one frame, from ``v0`` as in training.

        Raises:
            InputError: by the painter, for more frames than codes, or where textures are missing.
        """
        z = self.encode(content) if z is None else z.to(self.data_preprocessor.device)
        held = self.feature_maps.held(self.data_preprocessor(content if plate is None else dict(content, plate=plate)))
        return VideoPainter(self, held, z)

    def example_batch(self, height: int, width: int, frames: int = 2) -> dict:
        """As in the base class, with what textures are made of."""
        textures = self.feature_maps.textures
        batch = super().example_batch(height, width, frames)
        return batch if textures is None else batch | textures.example(height, width, batch['poses'])

    @property
    def codes(self) -> ColorCodes | None:
        """The color codes that generation uses: the averaged ones where there are some."""
        return getattr(self, 'color_codes_ema', self.color_codes)

    @torch.no_grad()
    def encode(self, content: dict) -> Tensor | None:
        """Code (1, D) of the clothes in a content frame, as generation takes it; None for a model without color codes."""
        codes = self.codes
        if codes is None:
            return None
        training = codes.training
        codes.eval()
        with self.inference_context():
            z = self.code(self.data_preprocessor(content), codes).float()
        codes.train(training)
        return z


def pack(conditions: Tensor, frames: Tensor, shown: Shown | None = None) -> Tensor:
    """Input of the discriminator: the frames of a window and their conditions side by side in the channels.

    Args:
        conditions: (B, T, C, H, W), what each frame was painted from; at a network's input, so in [-1, 1].
        frames: (B, T, 3, H, W) pictures in [-1, 1].
        shown: what the discriminator sees of both; None for all.

    Returns:
        (B, T * (C + 3), H, W): [F1, F2, ..., v1, v2, ...], all conditions in order of time, then all frames.

    Raises:
        InputError: batch, number of frames or size differ.
    """
    windows = [(*t.shape[:2], *t.shape[3:]) for t in (conditions, frames)]
    if conditions.ndim != 5 or windows[0] != windows[1]:
        raise InputError(f'conditions of shape {tuple(conditions.shape)} and frames of shape {tuple(frames.shape)}: expected '
                         '(B, T, C, H, W) and (B, T, 3, H, W) with equal B, T, H and W')
    conditions, frames = (conditions, frames) if shown is None else shown(conditions, frames)
    return torch.cat([conditions.flatten(1, 2), frames.flatten(1, 2)], 1)
