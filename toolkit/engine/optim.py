"""One optimizer per group of networks, each with its own precision, accumulation and clipping."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.optim import OptimWrapper as _OptimWrapper
from mmengine.optim import OptimWrapperDict
from torch import Tensor, nn

from toolkit.channels_last import is_channels_last, shared_casts
from toolkit.engine.sections import Optimizer
from toolkit.models.bare import bare
from toolkit.registry import MODELS, OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS, OPTIMIZERS, check_keys, part_arguments
from toolkit.structures import InputError

HOW = ('fused', 'foreach')
"""Options of torch's optimizers that say how an update is computed, and change nothing of what is learned."""
DTYPES = {'bf16': torch.bfloat16, 'bfloat16': torch.bfloat16, 'fp16': torch.float16, 'float16': torch.float16}


@OPTIM_WRAPPERS.register_module()
class OptimWrapper(_OptimWrapper):
    """Full precision. MMEngine's wrapper, but clipping does not wait for the device and full windows of accumulation are assured.

    The windows of all optimizers end together: one that is not used in some iterations counts them, too.

    Args:
        optimizer: a torch optimizer.
        accumulative_counts: calls of ``update_params`` that make one update; the loss is divided by it.
        clip_grad: arguments of ``clip_grad_norm_`` (or, with ``type='value'``, of ``clip_grad_value_``).
    """

    _idle = 0
    """The count up to which nothing has been learned in the current window."""
    _stepped = False
    """Whether an update was made since :meth:`follow`."""

    def __init__(self, optimizer: torch.optim.Optimizer, accumulative_counts: int = 1, clip_grad: dict | None = None) -> None:
        super().__init__(optimizer, accumulative_counts, clip_grad)
        optimizer.register_step_post_hook(self._note_update)  # a method may call the optimizer itself

    def _note_update(self, *_: object) -> None:
        self._stepped = True

    @property
    def pending(self) -> bool:
        """Whether an accumulation window has begun and not ended."""
        return self._inner_count % self._accumulative_counts != 0

    def begin_windows(self) -> None:
        """Begin anew, with an empty window."""
        self.optimizer.zero_grad()
        self._inner_count = self._idle = 0

    def is_used(self, count: int) -> bool:
        """Whether an iteration learned with it: by a backward pass or an update; argument as of :meth:`follow`."""
        return self._inner_count != count or self._stepped

    def is_left_out(self, count: int, iterations: int) -> bool:
        """Whether a window ends with gradients of which no update was made; arguments as of :meth:`follow`."""
        waits = self.is_used(count) or iterations % self._accumulative_counts
        return not waits and any(p.grad is not None for group in self.optimizer.param_groups for p in group['params'])

    def follow(self, count: int, iterations: int) -> None:
        """Count an iteration in which the optimizer was not used and holds no gradients, so that it joins the windows of the others.

        Args:
            count: :attr:`inner_count` before the iteration.
            iterations: done since the windows began.
        """
        self._stepped = False
        if self._inner_count == count and (not self.pending or count == self._idle):
            self._inner_count = self._idle = iterations

    @property
    def accumulative_counts(self) -> int:
        """Calls of ``update_params`` that make one update."""
        return self._accumulative_counts

    def load_state_dict(self, state_dict: dict) -> None:
        """Load a state, also of another precision; it takes the memory layout of the parameters, on which fused kernels rely, and how
        an update is computed stays as the config says, before torch chooses by it where its counters lie."""
        state = {key: value for key, value in state_dict.items() if key != 'loss_scaler'}
        ours = [{key: group[key] for key in HOW if key in group} for group in self.optimizer.param_groups]
        state['param_groups'] = [dict(group, **how) for group, how in zip(state['param_groups'], ours, strict=True)]
        super().load_state_dict(state)
        for group in self.optimizer.param_groups:
            for p in group['params']:
                held = self.optimizer.state.get(p, {})
                for key, value in held.items():
                    if isinstance(value, Tensor) and value.shape == p.shape and value.stride() != p.stride():
                        held[key] = torch.empty_like(p, dtype=value.dtype).copy_(value)

    def _clip_grad(self) -> None:
        parameters = [p for group in self.optimizer.param_groups for p in group['params'] if p.grad is not None]
        self.clip_func(parameters, **self.clip_grad_kwargs)


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(OptimWrapper):
    """Half precision by autocast, on CPU and GPU.

    bfloat16 needs no loss scaling. float16 needs it and a GPU.

    Args:
        dtype: ``'bfloat16'`` (or ``'bf16'``), or ``'float16'`` (``'fp16'``).
        loss_scale: first scale for float16; default 65536.
        kwargs: of :class:`OptimWrapper`.

    Raises:
        InputError: unknown dtype, float16 without a GPU, or a scale for bfloat16.
    """

    def __init__(self, dtype: str = 'bfloat16', loss_scale: float | None = None, **kwargs) -> None:
        super().__init__(**kwargs)
        if dtype not in DTYPES:
            raise InputError(f'half precision dtype must be one of {sorted(DTYPES)}, got {dtype!r}')
        self.dtype = DTYPES[dtype]
        self.device_type = self.optimizer.param_groups[0]['params'][0].device.type
        if self.dtype is torch.float16 and self.device_type == 'cpu':
            raise InputError("float16 needs a GPU; use dtype='bfloat16' on a CPU")
        if loss_scale is not None and self.dtype is not torch.float16:
            raise InputError(f'optim_wrapper: loss_scale={loss_scale} has no effect with bfloat16, which needs none; leave it out')
        self.loss_scaler = torch.amp.GradScaler(self.device_type, init_scale=loss_scale or 65536., enabled=self.dtype is torch.float16)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, and no gradient averaging before the end of an accumulation window."""
        with super().optim_context(model), torch.autocast(self.device_type, self.dtype), shared_casts():
            yield

    def backward(self, loss: Tensor, **kwargs) -> None:
        """Scaled backward."""
        super().backward(self.loss_scaler.scale(loss), **kwargs)

    def step(self, **kwargs) -> None:
        """Clip unscaled gradients and update, unless float16 overflowed."""
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update()
        self._stepped = True

    def state_dict(self) -> dict:
        """State of optimizer and scaler."""
        return dict(super().state_dict(), loss_scaler=self.loss_scaler.state_dict())

    def load_state_dict(self, state_dict: dict) -> None:
        """Load what :meth:`state_dict` gave; a state without a scaler (full precision before) is fine."""
        state = dict(state_dict)
        scaler = state.get('loss_scaler')
        if scaler:
            self.loss_scaler.load_state_dict(scaler)
        super().load_state_dict(state)


class _InOrder(torch.optim.Optimizer):
    """torch's fused kernels for CPUs take a gradient in another order of memory than its weight for one of other weights: here it is
    brought into that of its weight."""

    def _init_group(self, group: dict, *lists: list | bool) -> bool:
        found = super()._init_group(group, *lists)
        if _fused_on_cpu(group):
            lists[1][:] = [g if g.stride() == p.stride() else torch.empty_like(p).copy_(g) for p, g in zip(*lists[:2])]
        return found


class _Dense(_InOrder):
    """Adam's kernel copies what is not in the usual order, at each update. It is given channels last as what they are in memory, a
    dense block: the same numbers in less than half of the time."""

    def _init_group(self, group: dict, *lists: list | bool) -> bool:
        found = super()._init_group(group, *lists)
        if _fused_on_cpu(group):
            last = [is_channels_last(p) for p in lists[0]]
            for tensors in lists:
                if isinstance(tensors, list):
                    tensors[:] = [t.permute(0, 2, 3, 1) if swap and t.dim() == 4 else t for t, swap in zip(tensors, last)]
        return found


def _fused_on_cpu(group: dict) -> bool:
    return bool(group.get('fused')) and all(p.device.type == 'cpu' for p in group['params'])


@OPTIMIZERS.register_module()
class Adam(_Dense, torch.optim.Adam):
    """Adam of torch. Its fused updates on CPUs are right for gradients in any order of memory, and faster with channels last."""


@OPTIMIZERS.register_module()
class AdamW(_Dense, torch.optim.AdamW):
    """AdamW of torch. Its fused updates on CPUs are right for gradients in any order of memory, and faster with channels last."""


@OPTIMIZERS.register_module()
class SGD(_InOrder, torch.optim.SGD):
    """SGD of torch. Its fused updates on CPUs are right for gradients in any order of memory."""


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class NetworkOptimizers:
    """Builds an :class:`mmengine.optim.OptimWrapperDict` with one optimizer per entry of the config.

    An entry looks like ``g=dict(networks=['net_g'], type='OptimWrapper', optimizer=dict(type='Adam', lr=2e-4), clip_grad=...,
    accumulative_counts=1)``. Adam, AdamW and SGD use their fused kernels where all parameters are on a GPU, unless the config
    gives ``fused`` or ``foreach``.

    Args:
        optim_wrapper_cfg: name -> entry.
        paramwise_cfg: not supported; must be empty.
    """

    def __init__(self, optim_wrapper_cfg: dict, paramwise_cfg: dict | None = None) -> None:
        if paramwise_cfg:
            raise InputError('optim_wrapper.paramwise_cfg is not supported: give networks with their own settings an entry of their '
                             'own')
        self.entries = dict(optim_wrapper_cfg)
        self.entries.pop('type', None)

    def __call__(self, model: nn.Module) -> OptimWrapperDict:
        """Build the wrappers.

        Args:
            model: the model, wrapped or not; its networks are direct children.

        Raises:
            InputError: unknown network, a trainable parameter in no or in two optimizers, an entry without trainable parameters.
        """
        model = bare(model)
        if not self.entries:
            raise InputError('optim_wrapper names no optimizer; add for example g=dict(networks=["net_g"], '
                             'optimizer=dict(type="Adam", lr=2e-4))')
        owner: dict[nn.Parameter, str] = {}
        wrappers = {}
        for name, entry in self.entries.items():
            wrappers[name] = self._build(name, dict(entry), model, owner)
        forgotten = [key for key, p in model.named_parameters() if p.requires_grad and p not in owner]
        if forgotten:
            networks = sorted({key.split('.')[0] for key in forgotten})
            raise InputError(f'optim_wrapper: no optimizer trains {", ".join(networks)} ({len(forgotten)} parameters, first '
                             f'{forgotten[0]}); add it to the networks of an entry, or freeze it')
        return OptimWrapperDict(**wrappers)

    def _build(self, name: str, entry: dict, model: nn.Module, owner: dict[nn.Parameter, str]) -> _OptimWrapper:
        where = f'optim_wrapper.{name}'
        check_keys(entry, Optimizer.__annotations__, where)
        children = dict(model.named_children())
        networks = entry.pop('networks', None)
        if not networks or isinstance(networks, str) or 'optimizer' not in entry:
            raise InputError(f'{where} needs networks=[...] (names of networks of the model) and optimizer=dict(type=..., lr=...)')
        check_keys(networks, children, f'{where}.networks')
        parameters = [p for network in networks for p in children[network].parameters() if p.requires_grad]
        if not parameters:
            raise InputError(f'{where}: {", ".join(networks)} has no trainable parameters')
        for p in parameters:
            if p in owner:
                raise InputError(f'{where}: a parameter of {", ".join(networks)} is already trained by optim_wrapper.{owner[p]}')
            owner[p] = name
        optimizer = dict(entry.pop('optimizer'), params=parameters)
        if takes_fused(optimizer) and all(p.is_cuda for p in parameters):
            optimizer.setdefault('fused', True)
        wrapper = OPTIM_WRAPPERS.build(dict(dict(type='OptimWrapper'), **entry, optimizer=OPTIMIZERS.build(optimizer)))
        if not isinstance(wrapper, OptimWrapper):
            raise InputError(f'{where}: type must be OptimWrapper, AmpOptimWrapper or a subclass of one of them')
        return wrapper


def use_amp(cfg: dict, dtype: str = 'bfloat16') -> None:
    """Switch every optimizer of a config to half precision, in place; with bfloat16 the frozen networks of losses, too.

    Args:
        cfg: a whole config.
        dtype: see :class:`AmpOptimWrapper`.
    """
    for entry in optimizers(cfg):
        entry.update(type='AmpOptimWrapper', dtype=dtype)
    if DTYPES.get(dtype) is torch.bfloat16 and model_takes(cfg, 'loss_dtype'):
        cfg['model'].setdefault('loss_dtype', 'bfloat16')


def takes_fused(optimizer: dict) -> bool:
    """Whether an optimizer of a config has fused kernels, and the config does not choose others."""
    return str(optimizer.get('type')) in ('Adam', 'AdamW', 'SGD') and not optimizer.get('foreach')


def optimizers(cfg: dict) -> list[dict]:
    """The entries of ``optim_wrapper`` of a config."""
    return [entry for entry in cfg['optim_wrapper'].values() if isinstance(entry, dict) and 'networks' in entry]


def schedulers(cfg: dict) -> list[dict]:
    """The schedulers in ``param_scheduler`` of a config, those of all optimizers."""
    given = cfg.get('param_scheduler') or []
    groups = given.values() if isinstance(given, dict) and 'type' not in given else [given]
    return [one for group in groups for one in ([group] if isinstance(group, dict) else group or [])]


def model_takes(cfg: dict, option: str) -> bool:
    """Whether the model of a config has an option."""
    kind = cfg['model'].get('type')
    return isinstance(kind, str) and kind in MODELS and option in (part_arguments(MODELS.get(kind)) or ())
