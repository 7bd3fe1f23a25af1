"""The losses that a config lists: what each is given, and how much it counts."""

import difflib
import inspect
import math
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from toolkit import fields
from toolkit.losses.frozen import FrozenNetworkLoss
from toolkit.registry import LOSSES, check_keys, did_you_mean
from toolkit.structures import InputError

ADDED = 'added fields'
"""In the names that a method offers: the samples are all frames of its batches, so that a loss may name an added field, too."""


class LossTable(nn.ModuleDict):
    """Losses by name. Each is called with exactly what it declares, see :mod:`toolkit.losses`.

    A method offers its tensors in groups, such as ``frames`` (pictures side by side) and ``gan`` (what a discriminator says). A loss
    belongs to the group that its config names by ``of``; else to the group of its own name; else to the first group, if that offers all
    it needs; else to the only group that does. Its name is free otherwise, unless it could be a misspelt group.

    Args:
        configs: name -> ``LOSSES`` config with the extra keys ``weight`` (default 1) and ``of`` (see above). A loss of weight 0 or None
            is not built.
        offers: group -> names of what the method can give there, the first group first. With :data:`ADDED` among them these are also
            the fields that :func:`toolkit.fields.add` has added.
        method: name of the method, for messages.
        dtype: ``'bfloat16'`` for frozen networks of losses in half precision; which stay in float32 is logged.

    Raises:
        InputError: a loss that needs what the method does not offer, whose place is not clear, or that does not say what it needs; a
            config without a type, also of weight 0, as its name may be misspelt; a weight that is no number; trainable parameters.
    """

    def __init__(self, configs: Mapping[str, dict] | None, offers: Mapping[str, Sequence[str]], method: str,
                 dtype: str | None = None) -> None:
        super().__init__()
        self.weights: dict[str, float] = {}
        self.groups: dict[str, str] = {}
        self._teaching: set[str] = set()
        for name, cfg in (configs or {}).items():
            where = f'model.losses.{name}'
            if not isinstance(cfg, Mapping) or 'type' not in cfg:
                raise InputError(f'{where}={cfg!r} has no type.{did_you_mean(str(name), set(configs) - {name})} A loss of the base '
                                 f'config is left out by its name and weight=0')
            cfg = dict(cfg)
            group = cfg.pop('of', None)
            self.weights[name] = _weight(where, cfg.pop('weight', 1))
            if not self.weights[name]:
                continue
            if not str(name).isidentifier() or hasattr(self, name):
                raise InputError(f'model.losses: {name!r} cannot be the name of a loss; choose another')
            loss = LOSSES.build(cfg)
            _check_declaration(where, loss)
            if dtype is not None and isinstance(loss, FrozenNetworkLoss):
                if loss.always_float32:
                    print_log(f'{where}: the network of {type(loss).__name__} stays in float32, with model.loss_dtype={dtype!r}, too',
                              'current')
                else:
                    loss.dtype = getattr(torch, dtype)
            self.groups[name] = _group_of(where, name, group, loss, offers, method)
            self[name] = loss

    def of(self, group: str) -> list[str]:
        """Names of the losses of a group, in the order of the config."""
        return [name for name, place in self.groups.items() if place == group]

    def takes(self, group: str, tensor: str) -> bool:
        """Whether some loss of a group wants a tensor of this name."""
        return any(tensor in _wanted(self[name]) for name in self.of(group))

    def adversarial(self, group: str) -> str | None:
        """Name of the loss that trains the discriminator of a group, None where no loss looks at that discriminator.

        Raises:
            InputError: several losses would train it; or some look at its layers, but none trains it.
        """
        names = self.of(group)
        trainers = [name for name in names if 'scores' in self[name].inputs]
        if len(trainers) > 1:
            raise InputError(f'model.losses: {" and ".join(trainers)} would both train the discriminator of {group!r}; keep one')
        if names and not trainers:
            raise InputError(f'model.losses: {", ".join(names)} needs the layers of the discriminator of {group!r}, but no GANLoss '
                             f'trains it; give such a loss a weight above 0, or leave this one out')
        return trainers[0] if trainers else None

    @property
    def added_fields(self) -> tuple[str, ...]:
        """Names of the added fields that some loss wants."""
        return tuple(dict.fromkeys(name for loss in self.values() for name in _wanted(loss) if name in fields.ADDED))

    def check_some(self) -> None:
        """Raise an :class:`InputError` where no loss has a weight above 0, so that there is nothing to learn from."""
        if not self:
            raise InputError('model.losses has no loss of a weight above 0: there is nothing to learn from')

    def compute(self, group: str, given: Mapping[str, Any], batch: Mapping[str, Any] | None = None) -> dict[str, Tensor]:
        """Values of the losses of a group, not weighted.

        Args:
            group: one of the method's groups.
            given: what the method offers there; what a batch does not have may be left out or None.
            batch: with :data:`ADDED`: the preprocessed batch, whose added fields (B, T, ...) become (N, ...), N = B T.

        Raises:
            InputError: a loss needs what this batch does not have, or gives something that nothing can be learned from.
        """
        values = {}
        given = dict(given, **{name: batch[name].flatten(0, 1) for name in self.added_fields if batch is not None and name in batch})
        for name in self.of(group):
            missing = [key for key in self[name].inputs if given.get(key) is None]
            if missing:
                raise InputError(f'model.losses.{name} needs {", ".join(missing)}, which the batches of this dataset do not have')
            value = self[name](**{key: given[key] for key in _wanted(self[name]) if given.get(key) is not None})
            _check_scalar(f'model.losses.{name}', value)
            if torch.is_grad_enabled() and name not in self._teaching:
                _check_teaches(f'model.losses.{name}', value)
                self._teaching.add(name)
            values[name] = value
        return values


def for_generation(model: Mapping[str, Any]) -> dict[str, Any]:
    """A model's config without the networks that its losses need in training alone; its checkpoints fit as before.

    Args:
        model: ``MODELS`` config.

    Returns:
        A copy in which each loss has the arguments of its ``for_generation``, see :mod:`toolkit.losses`. Such a model generates and
        cannot be trained.
    """
    model = deepcopy(model)
    for loss in _configs(model):
        loss.update(_only_in_training(loss))
    return model


def trained_against(model: Mapping[str, Any]) -> set[str]:
    """Types of the parts that a model's losses look through, which must not measure what it generates.

    Args:
        model: ``MODELS`` config.
    """
    used = [loss for loss in _configs(model) if loss.get('weight', 1)]
    parts = [loss.get(name) for loss in used for name in _only_in_training(loss)]
    return {part['type'] for part in parts if isinstance(part, Mapping) and 'type' in part}


def _configs(model: Mapping[str, Any]) -> list[dict]:
    losses = model.get('losses')
    return [cfg for cfg in losses.values() if isinstance(cfg, Mapping)] if isinstance(losses, Mapping) else []


def _only_in_training(loss: Mapping[str, Any]) -> dict[str, Any]:
    kind = loss.get('type')
    return getattr(LOSSES.get(kind), 'for_generation', {}) if isinstance(kind, str) and kind in LOSSES else {}


def _wanted(loss: nn.Module) -> tuple[str, ...]:
    return (*loss.inputs, *getattr(loss, 'optional_inputs', ()))


def _weight(where: str, weight: Any) -> float:
    weight = 0 if weight is None else weight
    if not isinstance(weight, (int, float)) or not math.isfinite(weight):
        raise InputError(f'{where}.weight={weight!r}, expected a number; 0 or None leaves the loss out')
    return float(weight)


def _check_scalar(where: str, value: Any) -> None:
    """Refuse what is no scalar."""
    if not isinstance(value, Tensor) or value.numel() != 1:
        found = f'a tensor of shape {tuple(value.shape)}' if isinstance(value, Tensor) else repr(value)
        raise InputError(f'{where} returned {found}, expected a tensor of one number: take the mean')


def _check_teaches(where: str, value: Tensor) -> None:
    """Refuse what depends on nothing that learns; a loss that is off may be a plain 0. That waits for the device: ask it once."""
    if not value.requires_grad and value != 0:
        raise InputError(f'{where} returned a number without a gradient, from which nothing would learn: compute it from what forward '
                         f'is given, without detach(), item() or no_grad()')


def _check_declaration(where: str, loss: nn.Module) -> None:
    """Refuse a loss that does not say what it needs, or whose forward does not take it."""
    kind, inputs = type(loss).__name__, getattr(loss, 'inputs', None)
    if not isinstance(inputs, (tuple, list)) or not inputs:
        raise InputError(f"{where}: {kind} does not say what it needs. Give its class the names of forward's arguments, for example "
                         f"inputs = ('fake', 'real'), see docs/plugins.md")
    try:
        inspect.signature(loss.forward).bind(**dict.fromkeys(_wanted(loss)))
    except TypeError as error:
        raise InputError(f'{where}: {kind}.forward cannot be called with what {kind} declares, {", ".join(_wanted(loss))}: '
                         f'{error}') from None
    if any(p.requires_grad for p in loss.parameters()):
        raise InputError(f'{where}: a loss may not hold trainable parameters, but {kind} does; make such a network a child of the '
                         f'model')


def _group_of(where: str, name: str, group: str | None, loss: nn.Module, offers: Mapping[str, Sequence[str]], method: str) -> str:
    """Where a loss gets its tensors, see :class:`LossTable`."""
    kind, needs = type(loss).__name__, ', '.join(loss.inputs)
    added = {key for key, field in fields.ADDED.items() if field.compute}
    fitting = [place for place, names in offers.items() if set(loss.inputs) <= {*names, *(added if ADDED in names else ())}]
    table = '; '.join(f'of={place!r}: {", ".join(names)}' for place, names in offers.items()) or 'nothing'
    if group is not None:
        check_keys([group], offers, f'{where}.of')
    elif name in offers:
        group = name
    elif len(fitting) > 1 and (near := difflib.get_close_matches(name, offers, cutoff=0.8)):
        raise InputError(f'model.losses: {name!r} is not a place of {method}. Did you mean {near[0]!r}? A loss of this name must say '
                         f'what it looks at: {table}.')
    else:
        group = fitting[0] if fitting and (len(fitting) == 1 or fitting[0] == next(iter(offers))) else None
    if group in fitting:
        return group
    if group is None and fitting:
        raise InputError(f'{where}: {kind} needs {needs}, which {method} offers in several places; name one by '
                         f'{" or ".join(f"of={place!r}" for place in fitting)}')
    known = {key for names in offers.values() for key in (*names, *(added if ADDED in names else ()))} - {ADDED}
    hint = ''.join(did_you_mean(key, known) for key in loss.inputs if key not in known)
    raise InputError(f'{where}: {kind} needs {needs}, which {method} does not offer'
                     f'{f" in {group!r}" if group else ""}.{hint} It offers {table}.')
