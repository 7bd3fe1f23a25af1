"""What every trainable method shares: losses from config, reproducible noise, updates of one network at a time, an averaged copy."""

import copy
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ClassVar

import numpy as np
import torch
from mmengine.dist import get_world_size
from mmengine.model import BaseModel
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch import Tensor, nn
from torch.utils.data import Dataset

from toolkit import fields
from toolkit.channels_last import use_channels_last
from toolkit.machine import on_device
from toolkit.models.bare import bare
from toolkit.models.compiling import compile_network
from toolkit.models.loss_table import LossTable
from toolkit.models.painting import PaintedVideos
from toolkit.models.step_graph import Learn, StepGraph
from toolkit.registry import MODELS
from toolkit.structures import InputError


class VideoModel(PaintedVideos, BaseModel):
    """Base of all methods.

    A method trains by :meth:`train_step`, and makes videos as :class:`toolkit.models.painting.PaintedVideos` says.

    A method keeps its networks as direct children (``self.net_g``; never in a ModuleDict), discriminators under names that begin with
    ``net_d``, which generation does not need, and calls them as
    ``self.net_g(x)``: in a distributed run the engine replaces these children by wrappers that average gradients, and calling anything
    inside a wrapper would skip that. The forward of a network runs inside its own ``optim_wrapper[name].optim_context(self.net)``.

    Randomness of training comes from :meth:`noise_generator` or :meth:`randn` only, so that a run does not depend on interruptions.
    State that is not a parameter (image pools, counters) lives in buffers or in ``get_extra_state``; checkpoints carry it per process.

    Args:
        losses: name -> ``LOSSES`` config with the extra keys ``weight`` and ``of``, see :class:`toolkit.models.loss_table.LossTable`.
        data_preprocessor: ``MODELS`` config; what turns a collated batch into network inputs.
        compile_networks: compile the networks in place with ``torch.compile`` (keys of checkpoints stay): True, or a dict of options.
            A network that cannot be compiled is run as it is, and the log says why.
        channels_last: keep the weights of the networks, those of losses too, in channels-last order, which is faster in half precision.
        loss_dtype: ``'bfloat16'`` runs the frozen networks of losses in half precision; what they give is compared in float32. None
            for full precision. The networks of NearestNeighborLoss, SkeletonLoss and SemanticConsistencyLoss always have it.
        cuda_graph: record the training step on the GPU and replay it, see :class:`toolkit.models.step_graph.StepGraph`: much faster
            for one or two samples a step, where launching the kernels takes longer than they do.
        inference_dtype: ``'bfloat16'`` or ``'float16'`` for generation in half precision; None for full precision.
    """

    offers: ClassVar[dict[str, tuple[str, ...]]] = {}
    """What the method can give its losses: group -> names, see :class:`toolkit.models.loss_table.LossTable`."""

    recordable: ClassVar[bool] = False
    """Whether its step goes through :meth:`learning`, so that ``cuda_graph`` works."""

    stage = 0
    """Of this iteration, for a method that trains in several, one after the other: a number that rises during the run, and that depends
    on :attr:`progress`."""

    progress: float
    """Share of the run that was over when the open window of accumulated gradients began."""

    directions: ClassVar[tuple[str, ...]] = ()
    """What :meth:`transfer` gives: names of the ways in which the method turns pictures into pictures; empty where it has none."""

    def __init__(self, losses: dict | None = None, data_preprocessor: dict | None = None, compile_networks: bool | dict = False,
                 channels_last: bool = False, inference_dtype: str | None = None, loss_dtype: str | None = None,
                 cuda_graph: bool = False) -> None:
        super().__init__(data_preprocessor=MODELS.build(data_preprocessor or dict(type='VideoPreprocessor')))
        if inference_dtype not in (None, 'bfloat16', 'float16'):
            raise InputError(f"model.inference_dtype must be None, 'bfloat16' or 'float16', got {inference_dtype!r}")
        if loss_dtype not in (None, 'bfloat16'):
            raise InputError(f"model.loss_dtype must be None or 'bfloat16', got {loss_dtype!r}")
        if cuda_graph and not self.recordable:
            raise InputError(f'model.cuda_graph=True: the step of {type(self).__name__} cannot be recorded; leave cuda_graph out')
        self.compile_options, self.channels_last, self.inference_dtype = compile_networks, channels_last, inference_dtype
        self.step_graph = StepGraph() if cuda_graph else None
        self.losses = LossTable(losses, self.offers, type(self).__name__, loss_dtype)
        self.set_train_state(seed=0, rank=0, iteration=0, max_iters=1)

    def init_weights(self) -> None:
        """Nothing: networks initialize themselves when they are built."""

    def forward(self, *args, **kwargs) -> None:
        """Not used: a method is called through its steps."""
        raise NotImplementedError(f'{type(self).__name__} is used through train_step, test_step and generate')

    @abstractmethod
    def train_step(self, data: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """One update of every network.

        Args:
            data: a collated batch of windows, see :class:`toolkit.datasets.windows.ClipWindows`, unless the method says otherwise.
            optim_wrapper: one wrapper for each name in the config's ``optim_wrapper``, as a rule ``g`` and ``d``.

        Returns:
            Detached scalar tensors by name, ``'<network>/<loss>'``, for the log: every weighted loss.
        """

    def val_step(self, data: dict) -> list[dict]:
        """Same as :meth:`test_step`."""
        return self.test_step(data)

    @property
    def added_fields(self) -> tuple[str, ...]:
        """Names of the added fields (:func:`toolkit.fields.add`) that it takes: those of its ``feature_maps``, if any, those that its
        losses want, and those that it paints from."""
        maps = getattr(getattr(self, 'feature_maps', None), 'maps', ())
        painted = [name for name in self.paints_from if name in fields.ADDED]
        return tuple(dict.fromkeys([*(field.name for field in maps), *self.losses.added_fields, *painted]))

    def baselines(self) -> dict[str, dict]:
        """What ``tools/test.py --baselines`` measures beside it: name -> ``MODELS`` config, see
        :func:`toolkit.engine.testing.build_baselines`."""
        return {name: dict(type=name) for name in ('CopyContent', 'PasteParts', 'NearestFrame')}

    def transfer(self, data: dict) -> dict[str, tuple[Tensor, Tensor]]:
        """What the generators themselves paint of a training batch, for watching them, see :attr:`directions`.

        Args:
            data: a collated batch of the training data.

        Returns:
            Direction -> pictures and what they were turned into, (B, 3, H, W) each.
        """
        raise NotImplementedError(f'{type(self).__name__} turns no pictures into pictures')

    def check_data(self, dataset: Dataset) -> None:
        """Refuse a training data set that the method could not learn from; called before training.

        Raises:
            InputError: names the option and what to change.
        """

    # ---- state of the run -------------------------------------------------------------------------------------------------------

    def set_train_state(self, seed: int, rank: int, iteration: int, max_iters: int, between: bool = True) -> None:
        """Tell the model where the run is; the engine calls it before every iteration.

        Args:
            seed: of the run.
            rank: of this process.
            iteration: iterations done so far.
            max_iters: iterations of the whole run.
            between: no window of accumulated gradients is open. :attr:`progress` stays as it is within one: gradients of networks that
                no longer learn at its end would not be averaged over processes.
        """
        if between:
            self.progress = iteration / max_iters
        self.seed, self.rank, self.iteration, self.max_iters = seed, rank, iteration, max_iters

    def noise_generator(self, salt: int = 0, device: str | torch.device = 'cpu') -> torch.Generator:
        """Random numbers of this iteration and process: a generator seeded by (seed, rank, iteration, salt).

        Args:
            salt: tells several uses in one iteration apart.
            device: where the generator lives.
        """
        return self._generator(self.rank, salt, device)

    def randn(self, *shape: int, frames: int = 1, salt: int = 0) -> Tensor:
        """Normal noise that does not depend on how a batch is spread over processes.

        It is drawn for the whole global batch, of which each process takes the rows of its own samples.

        Args:
            shape: (N, ...), N rows of this process.
            frames: rows of a sample, one after the other.
            salt: tells several uses in one iteration apart.

        Returns:
            ``shape`` float32 on the model's device.
        """
        rows = self.rows(shape[0] // frames, frames)
        everything = torch.randn(shape[0] * get_world_size(), *shape[1:], generator=self.shared_generator(salt))
        return on_device(everything[rows], self.data_preprocessor.device)

    def rows(self, samples: int, frames: int = 1, groups: int = 1) -> Tensor:
        """Where the rows of this process are among those of the global batch, whose samples are dealt to the processes by turns.

        Args:
            samples: of this process, in each group.
            frames: rows of a sample, one after the other.
            groups: of samples, such as the two domains of a translation; one group lies behind the other.

        Returns:
            (groups * samples * frames,) indices.
        """
        world = get_world_size()
        mine = torch.arange(groups * samples * world).view(groups, samples, world)[..., self.rank % world].flatten()
        return (mine[:, None] * frames + torch.arange(frames)).flatten()

    def shared_generator(self, salt: int = 0) -> torch.Generator:
        """As :meth:`noise_generator` on the CPU, the same in every process."""
        return self._generator(0, salt, 'cpu')

    def _generator(self, rank: int, salt: int, device: str | torch.device) -> torch.Generator:
        high, low = np.random.SeedSequence((self.seed, rank, self.iteration, salt)).generate_state(2)
        return torch.Generator(device).manual_seed((int(high) << 31) ^ int(low))

    # ---- updates ----------------------------------------------------------------------------------------------------------------

    def learning(self, learn: Learn, given: dict, optim_wrapper: OptimWrapperDict) -> dict[str, Tensor]:
        """Run the part of a step that computes losses and updates, as a recorded graph with ``cuda_graph``.

        Args:
            learn: called with ``given`` and ``optim_wrapper``. It makes no choice that depends on numbers in tensors, on the iteration
                or on chance: those are made before, and stand in ``given``.
            given: its input, see :class:`toolkit.models.step_graph.StepGraph`.
            optim_wrapper: of all optimizers.

        Returns:
            What ``learn`` returns: detached scalars by name.
        """
        return (self.step_graph or (lambda *step: step[0](*step[1:])))(learn, given, optim_wrapper)

    @staticmethod
    def pull(wrapper: OptimWrapper, losses: dict[str, Tensor], seen: Tensor, picture: Tensor) -> Tensor:
        """What losses that look at a copy of a picture want of the picture, so that the networks in between can be asked once for two.

        They get no gradients, and what they kept for the backward pass stays for their own losses.

        Args:
            wrapper: of the optimizer that will learn from it; it knows how losses are scaled.
            losses: scalars by name.
            seen: the copy, a leaf that requires a gradient.
            picture: it.

        Returns:
            A scalar whose gradient with respect to ``picture`` is that of the losses with respect to ``seen``; its value means nothing.
        """
        if not torch.is_grad_enabled():
            return picture.new_zeros(())
        count, scaler = wrapper._accumulative_counts, getattr(wrapper, 'loss_scaler', None)
        scale = scaler.get_scale() if scaler is not None and scaler.is_enabled() else 1.0
        wanted, = torch.autograd.grad(sum(losses.values()).float() * scale / count, seen, retain_graph=True)
        return (picture * wanted).sum() * (count / scale)

    def weighted(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Multiply each loss by its configured weight; names without one pass unchanged."""
        return {name: self.losses.weights.get(name, 1.0) * loss for name, loss in losses.items()}

    def step(self, optim_wrapper: OptimWrapperDict, name: str, loss: Tensor) -> None:
        """Backward and, at the end of an accumulation window, update and clear the gradients of one optimizer.

        Args:
            optim_wrapper: of all optimizers.
            name: of the optimizer.
            loss: scalar.

        Raises:
            InputError: a loss from which nothing can be learned.
        """
        if torch.is_grad_enabled() and not getattr(loss, 'requires_grad', False):
            raise InputError(f'{type(self).__name__}: at iteration {self.iteration} no loss reaches the networks of '
                             f'optim_wrapper.{name}: all that look at them are off or left out; give one in model.losses a weight '
                             f'above 0, and the weights of the network that it looks through')
        optim_wrapper[name].update_params(loss.float())

    @staticmethod
    @contextmanager
    def frozen(*networks: nn.Module) -> Iterator[None]:
        """Within the context the networks pass gradients on but get none themselves."""
        parameters = [p for network in networks for p in network.parameters() if p.requires_grad]
        for p in parameters:
            p.requires_grad_(False)
        try:
            yield
        finally:
            for p in parameters:
                p.requires_grad_(True)

    @staticmethod
    @contextmanager
    def evaluating(network: nn.Module) -> Iterator[None]:
        """Within the context a network is in eval mode."""
        training = network.training
        if training:
            network.eval()
        try:
            yield
        finally:
            if training:
                network.train()

    @staticmethod
    def averaging(decay: float | None) -> float | None:
        """The decay of an averaged copy as a config gives it, None for no copy.

        Raises:
            InputError: not a number from 0 up to, and without, 1, with which the copy would never move.
        """
        if decay is not None and (isinstance(decay, bool) or not isinstance(decay, (int, float)) or not 0 <= decay < 1):
            raise InputError(f'model.ema={decay!r}, expected a decay of at least 0 and below 1, or None for no averaged copy')
        return decay

    @staticmethod
    def ema_copy(network: nn.Module) -> nn.Module:
        """A frozen copy of a network, in eval mode, to keep as a child of the model (``net_g_ema``) and pass to :meth:`update_ema`."""
        return copy.deepcopy(network).requires_grad_(False).eval()

    @torch.no_grad()
    def update_ema(self, network: nn.Module, ema: nn.Module, decay: float, optim_wrapper: OptimWrapper) -> None:
        """Move the averaged copy towards the network, where its optimizer has just stepped: ``ema = d ema + (1 - d) network``.

        ``d = min(decay, (1 + i) / (10 + i))`` after i steps, so that the average follows from the start. Buffers are copied. Within a
        window of accumulated gradients nothing happens, so that ``decay`` counts steps of the optimizer.

        Args:
            network: the network, wrapped or not.
            ema: of :meth:`ema_copy`.
            decay: in [0, 1).
            optim_wrapper: the one that trains the network.
        """
        if not optim_wrapper.should_update():
            return
        network = bare(network)
        steps = self.iteration // optim_wrapper._accumulative_counts
        decay = min(decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(ema.parameters()), [p.detach() for p in network.parameters()], 1 - decay)
        for mine, theirs in zip(ema.buffers(), network.buffers()):
            mine.copy_(theirs)

    def train(self, mode: bool = True) -> 'VideoModel':
        """Set training mode; averaged copies (children named ``*_ema``) stay in eval mode."""
        super().train(mode)
        for name, child in self.named_children():
            if name.endswith('_ema'):
                child.eval()
        return self

    # ---- networks and results ---------------------------------------------------------------------------------------------------

    def networks(self) -> dict[str, nn.Module]:
        """Direct children with parameters, by name, without the wrappers of a distributed run; what a child with ``networks`` names."""
        found = {}
        for name, child in ((name, bare(child)) for name, child in self.named_children()):
            if hasattr(child, 'networks'):
                found.update(child.networks())
            elif next(child.parameters(), None) is not None:
                found[name] = child
        return found

    def prepare_networks(self) -> None:
        """Apply ``channels_last`` and ``compile_networks``; the engine calls it once, before training or testing."""
        frozen = [network for loss in self.losses.values() for network in getattr(loss, '_frozen', ())]
        for network in (*self.networks().values(), *frozen):
            if self.channels_last:
                use_channels_last(network, any(network is one for one in frozen))
            if self.compile_options:
                compile_network(network, self.compile_options if isinstance(self.compile_options, dict) else {})

    def inference_context(self) -> AbstractContextManager:
        """Autocast to ``inference_dtype``, or nothing."""
        if self.inference_dtype is None:
            return nullcontext()
        return torch.autocast(self.data_preprocessor.device.type, getattr(torch, self.inference_dtype))

    @staticmethod
    def clip_result(data: dict, generated: np.ndarray) -> dict:
        """What metrics and visualization take: generated and true clip side by side.

        Args:
            data: a whole-clip item with a batch axis of 1.
            generated: (T, H, W, 3) uint8.

        Returns:
            ``clip`` (name), ``fps``, ``generated``, ``real``, ``pose_maps`` (T, H, W, 3) uint8, ``mask`` (T, H, W) bool, ``poses``
            (T, K, 3).
        """

        def pictures(key: str) -> np.ndarray:
            return data[key][0].movedim(1, -1).cpu().numpy()

        return dict(
            clip=data['clip'][0], fps=float(data['fps'][0]) if 'fps' in data else 25.0, generated=generated, real=pictures('frames'),
            pose_maps=pictures('pose_maps'), mask=pictures('masks')[..., 0] > 127, poses=data['poses'][0].cpu().numpy())

    def example_batch(self, height: int, width: int, frames: int = 2) -> dict:
        """A made-up batch of one sample in the form of :class:`toolkit.datasets.windows.ClipWindows`, for counting operations.

        Args:
            height, width: picture size.
            frames: length of the window (T).
        """
        pose = torch.zeros(1, frames, 18, 3)
        pose[..., 0], pose[..., 1], pose[..., 2] = width / 2, torch.linspace(0.2, 0.8, 18) * height, 1
        batch = {key: torch.zeros(*lead, field.channels, height, width, dtype=torch.uint8)
                 for of, lead in ((fields.FRAME, (1, frames)), (fields.CONTENT, (1,)))
                 for key, field in fields.entries(of, self.added_fields)
                 if field.is_picture and field.source not in ('made', 'footage')}
        return dict(batch, poses=pose, content_pose=pose[:, 0], clip=['example'], index=torch.tensor([0]),
                    content_index=torch.tensor([0]), fps=torch.tensor([25.0]))
