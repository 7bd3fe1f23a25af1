"""CycleGAN, with the skeleton consistency and the future directions of paper B.

Sources: Zhu et al. 2017, Unpaired Image-to-Image Translation; paper B: Tsvetkov and Abu-Saleh, Unsupervised Domain Adaptation for
Human Movement.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn
from torch.utils.data import Dataset

from toolkit.fields import content_of
from toolkit.fit import build_discriminator, build_generator
from toolkit.model_parts.auto_weight import AutoWeight
from toolkit.model_parts.discriminator_inputs import CHANNELS, PICTURES, SUFFIXES, TRIPLE, discriminator_input
from toolkit.model_parts.foreground import Foreground, Scene
from toolkit.model_parts.frame_memory import FrameMemory
from toolkit.model_parts.gradient_penalty import R1Penalty
from toolkit.model_parts.head_crops import HeadCrops
from toolkit.model_parts.image_pool import ImagePool
from toolkit.models.base import VideoModel
from toolkit.models.loss_table import ADDED
from toolkit.models.painting import FramePainter
from toolkit.models.transfer import check_one_size, transfer_baselines, transfer_result
from toolkit.registry import MODELS, check_keys
from toolkit.structures import InputError

DIRECTIONS = ('ab', 'ba')
AUTO = 'auto_freeze'


@MODELS.register_module()
class CycleGAN(VideoModel):
    """Two generators, A to B and B to A, that must undo each other, and a discriminator for each person.

    One step, in the official order: both generators together, with the discriminators fixed, then both discriminators together, on
    real pictures and on pictures from a pool of earlier ones. Any losses can be listed in ``losses``, see
    :class:`toolkit.models.loss_table.LossTable`; every frame of a window is a sample (N). They are offered:

    - ``gan`` (needed): ``scores`` of each generated picture by the other's discriminator;
    - ``cycle`` (needed): ``fake``, the picture after both generators, ``real``, the picture, (N, 3, H, W) in [-1, 1], and ``masks``
      (N, 1, H, W) in [0, 1], where its person may be; CycleGAN's weight is 10;
    - ``identity``: the same, with a generator's version of a picture of its own target as ``fake``, which it should leave alone;
      CycleGAN's weight is 5 (half of 10), paper B has none;
    - ``skeleton``: ``fake``, the translated picture, ``real``, its input, and ``anchors`` and ``keys`` as
      :class:`toolkit.losses.skeleton.SkeletonLoss` has them; its weight may be ``'auto_freeze'``;
    - ``temporal``: ``scores`` of three consecutive frames, by two more discriminators ``net_d_a_time`` and ``net_d_b_time``;
    - ``face``: ``scores`` of crops of the heads beside the joints of the input's head, by ``net_d_a_face`` and ``net_d_b_face``.

    Args:
        generator: ``GENERATORS`` config; its ``input_nc`` is filled in: 3 x (1 + ``previous_frames``).
        discriminator: ``DISCRIMINATORS`` config; its ``input_nc`` is filled in.
        losses: see above.
        previous_frames: each generator also sees so many of its own last frames (2 in paper B's future directions; 0 is CycleGAN).
        first: the frames before the first one: ``'zeros'`` (mid-gray) or ``'input'`` (the input's first frame).
        stateful: go on from the generated frames of the mini-batch before where the data does, see ``sequence`` of
            :class:`toolkit.datasets.unpaired.UnpairedClips`.
        window: consecutive frames of a training item, through which gradients flow; at least 3 for ``temporal``.
        skeleton_scaling: compare the output's skeleton with that of the input scaled and moved to the other person's size and place.
            The data must give anchors.
        foreground: keep the input's scene and translate the person alone: ``dict(margin=...)``, see
            :class:`toolkit.model_parts.foreground.Scene`. The data must give masks and plates. Discriminators then see the real person
            pasted into the same scene, so that the background tells them nothing. ``cycle`` and ``identity`` should look at ``masks``
            (``masked=True``), as the scene is always equal.
        auto_weight: arguments of :class:`toolkit.model_parts.auto_weight.AutoWeight` for ``weight='auto_freeze'``.
        face_crops: arguments of :class:`toolkit.model_parts.head_crops.HeadCrops` for ``face``.
        r1: arguments of :class:`toolkit.model_parts.gradient_penalty.R1Penalty` for every discriminator; None for none, as published.
        pool_size: pictures in each pool; 0 for none.
        ema: decay of averaged copies of the generators that generation uses; None for none, as published.
        kwargs: of :class:`toolkit.models.base.VideoModel`.

    Raises:
        InputError: unknown losses or options that do not go together.
    """

    offers = dict(
        gan=('scores',), cycle=('fake', 'real', 'masks', ADDED), identity=('fake', 'real', 'masks', ADDED),
        skeleton=('fake', 'real', 'anchors', 'keys'), temporal=('scores',), face=('scores',))

    directions, recordable = DIRECTIONS, True
    nested = dict(face_crops=HeadCrops, auto_weight=AutoWeight, foreground=Foreground, r1=R1Penalty)

    def __init__(self, generator: dict, discriminator: dict, losses: dict, previous_frames: int = 0, first: str = 'zeros',
                 stateful: bool = False, window: int = 1, skeleton_scaling: bool = False, foreground: dict | None = None,
                 auto_weight: dict | None = None, face_crops: dict | None = None, r1: dict | None = None, pool_size: int = 50,
                 ema: float | None = None, **kwargs) -> None:
        automatic = [name for name, cfg in losses.items() if isinstance(cfg, dict) and cfg.get('weight') == AUTO]
        super().__init__(losses={name: dict(cfg, weight=1.0) if name in automatic else cfg for name, cfg in losses.items()}, **kwargs)
        self._check(first, stateful, previous_frames, window, skeleton_scaling, foreground, automatic, auto_weight)
        if face_crops is not None and not any('face' in (name, cfg.get('of')) for name, cfg in losses.items()):
            raise InputError('model.face_crops without model.losses.face: there is nothing that looks at them')
        self.previous_frames, self.first, self.window = previous_frames, first, window
        self.skeleton_scaling, self.margin = skeleton_scaling, None if foreground is None else foreground.get('margin', 0.02)
        channels = 3 * (1 + previous_frames)
        self.net_g_ab, self.net_g_ba = (build_generator(generator, 'CycleGAN', channels, ()) for _ in DIRECTIONS)
        self.head_crops = HeadCrops(**(face_crops or {}))
        self.r1 = None if r1 is None else R1Penalty(**r1)
        for kind, _, name in self._discriminators():
            setattr(self, f'net_d_{name}', build_discriminator(discriminator, 'CycleGAN', CHANNELS[kind]))
        self.pools = nn.ModuleDict({name: ImagePool(pool_size) for _, _, name in self._discriminators()})
        self.automatic, self.auto_weight = automatic, AutoWeight(**(auto_weight or {})) if automatic else None
        self.memory = FrameMemory() if stateful else None
        self.register_buffer('anchors', torch.tensor([[0.0, 0.0, 1.0]] * 2))
        self.ema_decay = self.averaging(ema)
        self._needs_data = self.memory is not None or bool(self.losses.of('skeleton') or self.losses.of('face'))
        if self.step_graph is not None and self._needs_data:
            self.step_graph.give_up('stateful, and losses of skeletons and faces, look at clips and poses on the CPU')
        if ema is not None:
            self.net_g_ab_ema, self.net_g_ba_ema = self.ema_copy(self.net_g_ab), self.ema_copy(self.net_g_ba)

    def _check(self, first, stateful, previous_frames, window, skeleton_scaling, foreground, automatic, auto_weight) -> None:
        for name in ('gan', 'cycle'):
            if not self.losses.of(name):
                raise InputError(f'model.losses: CycleGAN needs {name!r} with a weight above 0')
        if first not in ('zeros', 'input'):
            raise InputError(f"model.first must be 'zeros' or 'input', got {first!r}")
        if previous_frames < 0 or window < 1 or (stateful and not previous_frames):
            raise InputError(f'model: previous_frames={previous_frames}, window={window}, stateful={stateful}; expected '
                             f'previous_frames of at least 0 (1 with stateful) and a window of at least 1')
        if first != 'zeros' and not previous_frames:
            raise InputError(f'model.first={first!r} has no effect with previous_frames=0: set previous_frames, or leave first out')
        if self.losses.of('temporal') and window < TRIPLE:
            raise InputError(f'model.losses.temporal compares {TRIPLE} frames: set model.window and that of the data to at least '
                             f'{TRIPLE}')
        if skeleton_scaling and not self.losses.of('skeleton'):
            raise InputError('model.skeleton_scaling without model.losses.skeleton: there is nothing to scale')
        if automatic and automatic != self.losses.of('skeleton'):
            raise InputError(f"model.losses: weight='{AUTO}' is for the only loss of='skeleton', and for no other; got it for "
                             f"{', '.join(automatic)}")
        for name in ('cycle', 'identity') if foreground is not None else ():
            if self.losses.of(name) and not self.losses.takes(name, 'masks'):
                print_log(f'model.foreground keeps the scene, but model.losses.{name} looks at whole pictures, most of which are then '
                          f'equal: set masked=True', 'current', logging.WARNING)
        if auto_weight is not None and not automatic:
            raise InputError(f"model.auto_weight is given, but model.losses.skeleton.weight is not '{AUTO}'")
        check_keys(foreground or {}, Foreground.__annotations__, 'model.foreground')

    def baselines(self) -> dict[str, dict]:
        """As in the base class: those of a transfer."""
        return transfer_baselines()

    def check_data(self, dataset: Dataset) -> None:
        """As in the base class: windows must be as long as the model's, ``stateful`` needs items that follow each other, generators
        must come to see as many frames of their own as in a video, and what only the model's options look at must be asked for by
        them."""
        given = getattr(dataset, 'window', self.window)
        if given != self.window:
            raise InputError(f'model.window={self.window}, but train_dataloader.dataset.window={given}: set both to the same number')
        if getattr(dataset, 'anchors', False) and not self.skeleton_scaling:
            raise InputError('the data set gives the place and height of both persons (anchors), but the model does not look at them: '
                             'set model.skeleton_scaling, too, or leave anchors out of the data set')
        if getattr(dataset, 'plates', False) and self.margin is None:
            raise InputError('the data set gives the empty scene (plates), but the model translates whole frames: set '
                             'model.foreground, too, or leave plates out of the data set')
        if self.memory is not None and getattr(dataset, 'sequence', 2) < 2:
            raise InputError('model.stateful goes on from the mini-batch before, but the items of the data do not follow each other: '
                             'set train_dataloader.dataset.sequence to 2 or more, and train_dataloader.sampler.shuffle to False')
        run = self.window * (1 if self.memory is None else getattr(dataset, 'sequence', 1 + self.previous_frames))
        if run <= self.previous_frames:
            raise InputError(f'model.previous_frames={self.previous_frames}, but training generates only {run} frames in a row: its '
                             f'generators never see so many of their own, as they do in every video. Set model.window and '
                             f'train_dataloader.dataset.window to {self.previous_frames + 1}')
        if self.margin is not None:
            check_one_size(dataset, 'model.foreground shows the discriminators each person in the scene of the other')

    # ---- training ---------------------------------------------------------------------------------------------------------------

    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of both generators, then one of all discriminators; as in the base class.

        ``data`` is a batch of :class:`toolkit.datasets.unpaired.UnpairedClips`. ``weight/skeleton`` is logged where it is automatic.
        """
        batches = {name: self.data_preprocessor(data[name], True) for name in 'ab'}
        scenes = self._scenes(batches)
        keys = ('frames', 'masks', *self.losses.added_fields)
        given = dict(scenes=scenes, drawn=self._drawn(batches), data=data if self._needs_data else None,
                     r1=self.r1 is not None and self.r1.due(self.iteration),
                     batches={name: {key: batch[key] for key in keys if key in batch} for name, batch in batches.items()})
        logs = self.learning(self._learn, given, optim_wrapper)
        if self.ema_decay is not None:
            for name in DIRECTIONS:
                self.update_ema(getattr(self, f'net_g_{name}'), getattr(self, f'net_g_{name}_ema'), self.ema_decay, optim_wrapper['g'])
        return logs

    def _drawn(self, batches: dict) -> dict[str, Tensor | None]:
        """What happens to the pictures that each discriminator will see; heads are known only when they are cut out."""
        drawn = {}
        for i, (kind, target, name) in enumerate(self._discriminators()):
            frames = batches[other(target)]['frames']
            if kind != 'face':
                seen = discriminator_input(kind, self.head_crops, frames, None)
                held = self.pools[name].images
                if self.step_graph is not None and held is not None and held.shape[1:] != seen.shape[1:]:
                    self.step_graph.give_up('pictures of several sizes, for which pools are emptied')
                drawn[name] = self.pools[name].draw(seen.shape, frames, self.noise_generator(salt=i))
        return drawn

    def _learn(self, given: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Losses and updates, see :meth:`toolkit.models.base.VideoModel.learning`."""
        batches, scenes, data = given['batches'], given['scenes'], given['data']
        real = {name: batch['frames'] for name, batch in batches.items()}
        poses = {name: None if data is None else data[name]['poses'] for name in 'ab'}
        goes_on = self._continues(data)
        fake, g = {}, {}
        with self._contexts(optim_wrapper['g'], self.net_g_ab, self.net_g_ba):
            for source, target in DIRECTIONS:
                there, back, scene = getattr(self, f'net_g_{source}{target}'), getattr(self, f'net_g_{target}{source}'), scenes[source]
                go, returned = (self._chain(name, goes_on[source]) for name in (f'fake_{target}', f'rec_{source}'))
                fake[target] = go(there, real[source], scene)
                rec = returned(back, fake[target], scene and scene.back())
                masks = batches[source].get('masks') if scene is None else scene.person
                g |= self._compare('cycle', source, rec, batches[source], masks)
                if self.losses.of('identity'):
                    own = scene and Scene(scene.background, scene.person, scene.person)
                    same = self._chain(f'identity_{source}', goes_on[source])(back, real[source], own)
                    g |= self._compare('identity', source, same, batches[source], masks)
        discriminators, inputs = [(*of, getattr(self, f'net_d_{of[-1]}')) for of in self._discriminators()], {}
        nets = [net for *_, net in discriminators]
        with self.frozen(*nets), self._contexts(optim_wrapper['d'], *nets):
            for kind, target, name, net in discriminators:
                source = other(target)
                inputs[name] = discriminator_input(kind, self.head_crops, fake[target], poses[source], self._anchors(source))
                values = self.losses.compute(kind, dict(scores=net(inputs[name])))
                g |= {f'{loss}_{source}{target}': value for loss, value in values.items()}
        g = {name: self.losses.weights[name.rpartition('_')[0]] * loss for name, loss in g.items()}
        logs = self._add_skeleton(g, real, fake, data)
        self.step(optim_wrapper, 'g', sum(g.values()))

        d = {}
        with self._contexts(optim_wrapper['d'], *nets):
            for i, (kind, target, name, net) in enumerate(discriminators):
                loss_name = self.losses.adversarial(kind)
                loss, weight = self.losses[loss_name], self.losses.weights[loss_name] / 2
                pool, new = self.pools[name], inputs[name].float()
                past = pool.query(new, self.noise_generator(salt=i)) if kind == 'face' else pool.exchange(new, given['drawn'][name])
                truth = self._seen(batches[target], scenes[other(target)])
                truth = discriminator_input(kind, self.head_crops, truth, poses[target])
                d[f'{name}_real'] = weight * loss(net(truth), real=True, for_discriminator=True)
                d[f'{name}_fake'] = weight * loss(net(past), real=False, for_discriminator=True)
                if given['r1']:
                    d[f'{name}_r1'] = self.r1(net, truth, PICTURES[kind])
        self.step(optim_wrapper, 'd', sum(d.values()))
        return {**{f'g/{k}': v.detach() for k, v in g.items()}, **{f'd/{k}': v.detach() for k, v in d.items()}, **logs}

    def _compare(self, group: str, source: str, fake: Tensor, batch: dict, masks: Tensor | None) -> dict[str, Tensor]:
        """The losses of a group between a window and the frames of a batch."""
        given = dict(fake=fake.flatten(0, 1), real=batch['frames'].flatten(0, 1), masks=None if masks is None else masks.flatten(0, 1))
        return {f'{name}_{source}': loss for name, loss in self.losses.compute(group, given, batch).items()}

    def _discriminators(self) -> list[tuple[str, str, str]]:
        """Of each discriminator its loss, the person it knows, and its name after ``net_d_``, which is that of its pool, too."""
        return [(kind, domain, domain + suffix)
                for kind, suffix in SUFFIXES.items() if self.losses.adversarial(kind) for domain in 'ab']

    @staticmethod
    @contextmanager
    def _contexts(wrapper, *networks: nn.Module) -> Iterator[None]:
        """The contexts of one optimizer for several networks."""
        with ExitStack() as stack:
            for network in networks:
                stack.enter_context(wrapper.optim_context(network))
            yield

    def _scenes(self, batches: dict) -> dict[str, Scene | None]:
        """Scenes by domain, None where whole frames are translated; takes over the anchors of the data."""
        if self.skeleton_scaling:
            missing = [name for name, batch in batches.items() if 'anchor' not in batch]
            if missing:
                raise InputError('model.skeleton_scaling needs the place and height of both persons: set anchors=True in the dataset')
            self.anchors.copy_(torch.stack([batches[name]['anchor'][0] for name in 'ab']))
        return {name: self._scene(batch, name) for name, batch in batches.items()}

    def _scene(self, batch: dict, source: str) -> Scene | None:
        return None if self.margin is None else Scene.of(batch, self.margin, self._anchors(source))

    def _anchors(self, source: str) -> Tensor | None:
        """Anchors of the person in the input and of the one in the output, (2, 3)."""
        return None if not self.skeleton_scaling else self.anchors if source == 'a' else self.anchors.flip(0)

    @staticmethod
    def _seen(batch: dict, scene: Scene | None) -> Tensor:
        """Real frames as a discriminator sees them: as they are, or the person pasted into the scene that the fakes are in."""
        if scene is None:
            return batch['frames']
        return torch.lerp(scene.background, batch['frames'], batch['masks'].expand_as(batch['frames']))

    def _add_skeleton(self, g: dict[str, Tensor], real: dict, fake: dict, data: dict) -> dict[str, Tensor]:
        """Add the weighted skeleton losses to ``g``; what to log of the weight."""
        values, logs = {}, {}
        for source, target in DIRECTIONS if self.losses.of('skeleton') else ():
            keys = [hashlib.blake2b(frame.cpu().numpy().tobytes()).digest() for frame in data[source]['frames'].flatten(0, 1)] \
                if self.losses.takes('skeleton', 'keys') else None
            given = dict(fake=fake[target].flatten(0, 1), real=real[source].flatten(0, 1), anchors=self._anchors(source), keys=keys)
            for name, value in self.losses.compute('skeleton', given).items():
                values[name, source + target] = value
        weights = dict(self.losses.weights)
        for name in self.automatic:
            weights[name] = self.auto_weight(sum(values.values()), sum(g.values()), list(fake.values()), self.iteration)
            logs[f'weight/{name}'] = weights[name]
        g |= {f'{name}_{direction}': weights[name] * value for (name, direction), value in values.items()}
        return logs

    # ---- translating ------------------------------------------------------------------------------------------------------------

    def _continues(self, data: dict | None) -> dict[str, list[bool] | None]:
        """For each domain which rows of the mini-batch go on from the one before."""
        if self.memory is None:
            return dict.fromkeys('ab')
        return {name: self.memory.continues(name, data[name]['clip'], data[name]['index'].tolist(), data[name]['follows'].tolist(),
                                            data[name]['frames'].shape[1]) for name in 'ab'}

    def _chain(self, name: str, goes_on: list[bool] | None):
        """:meth:`translate` that goes on from, and leaves, remembered frames."""
        def run(net: nn.Module, frames: Tensor, scene: Scene | None) -> Tensor:
            if self.memory is None:
                return self.translate(net, frames, scene)[0]
            out, last = self.translate(net, frames, scene, self.memory.recall(name, goes_on, self._before(frames)))
            self.memory.keep(name, last)
            return out
        return run

    def _before(self, frames: Tensor) -> Tensor:
        """The frames before the first one, (B, P, 3, H, W)."""
        start = frames[:, :1].detach().float().expand(-1, self.previous_frames, -1, -1, -1)
        return start if self.first == 'input' else torch.zeros_like(start)

    def translate(self, net: nn.Module, frames: Tensor, scene: Scene | None = None,
                  previous: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Translate a window, frame after frame where the generator sees its own last frames.

        Args:
            net: a generator.
            frames: (B, T, 3, H, W) in [-1, 1].
            scene: what to keep, or None.
            previous: (B, P, 3, H, W), its last frames, newest first; None before the first frame.

        Returns:
            The translated frames (B, T, 3, H, W), and its last frames for the next call (None for ``previous_frames=0``).
        """
        if not self.previous_frames:
            out = net(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
            return (out if scene is None else scene.compose(out)), None
        previous = self._before(frames) if previous is None else previous
        outputs = []
        for t in range(frames.shape[1]):
            out = net(torch.cat([frames[:, t].float(), previous.flatten(1, 2)], 1))
            out = out.float() if scene is None else scene.compose(out, t)
            outputs.append(out)
            previous = torch.cat([out[:, None], previous[:, :-1]], 1)
        return torch.stack(outputs, 1), previous

    @torch.no_grad()
    def transfer(self, data: dict) -> dict[str, tuple[Tensor, Tensor]]:
        """As in the base class: the last input frame of each window and its translation, not put into a scene."""
        out = {}
        for direction in DIRECTIONS:
            frames = self.data_preprocessor(data[direction[0]])['frames']
            out[direction] = frames[:, -1], self.translate(self._painter(direction), frames)[0][:, -1].float()
        return out

    def _painter(self, direction: str) -> nn.Module:
        """The generator that generation uses."""
        if direction not in DIRECTIONS:
            raise InputError(f'direction must be one of {", ".join(DIRECTIONS)}, got {direction!r}')
        return getattr(self, f'net_g_{direction}' + ('' if self.ema_decay is None else '_ema'))

    clip_result = staticmethod(transfer_result)

    @property
    def opens_with(self) -> tuple[str, ...]:
        """As in the base class."""
        return 'direction', *(() if self.margin is None else ('plate',))

    @property
    def paints_from(self) -> tuple[str, ...]:
        """As in the base class."""
        return 'frames', *(() if self.margin is None else ('masks',))

    def open(self, direction: str = 'ab', plate: Tensor | None = None) -> FramePainter:
        """Begin a video, see :meth:`toolkit.models.base.VideoModel.open`.

        Args:
            direction: 'ab', person A's video becomes one of person B, or 'ba'.
            plate: (1, 3, H, W) uint8, the empty scene, for ``foreground``.

        Returns:
            The painter. Each frame also sees the generated ones before where so trained.

        Raises:
            InputError: unknown direction; by the painter, no plate where one is needed.
        """
        net = self._painter(direction)
        scene = {} if plate is None else dict(plate=plate)

        @torch.no_grad()
        def paint(frame: dict, previous: Tensor | None) -> tuple[np.ndarray, Tensor | None]:
            batch = self.data_preprocessor({**frame, **scene})
            with self.evaluating(net), self.inference_context():
                out, previous = self.translate(net, batch['frames'], self._scene(batch, direction[0]), previous)
            return self.data_preprocessor.to_uint8(out[0, 0]).numpy(), previous

        return FramePainter(paint)

    def example_batch(self, height: int, width: int, frames: int | None = None) -> dict:
        """A made-up batch of one sample in the form of :class:`toolkit.datasets.unpaired.UnpairedClips`."""
        plain = super().example_batch(height, width, frames or self.window)
        item = {key: value for key, value in plain.items() if key not in content_of(plain)}
        item |= dict(plate=plain['content_frame'], follows=torch.tensor([False]),
                     anchor=torch.tensor([[width / 2, height * 0.9, height * 0.7]]))
        return dict(a=item, b=dict(item))


def other(domain: str) -> str:
    """The other domain."""
    return 'b' if domain == 'a' else 'a'
