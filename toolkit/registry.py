"""Every registry of the toolkit, one per kind of part, with errors that help.

Registries of parts are roots with scope ``toolkit``: a config names a part by ``type`` and the slot decides the registry. Registries
whose objects MMEngine's Runner builds are children of MMEngine's own. A folder of parts imports all its files by itself
(:func:`import_parts`), so that a new part is one new file and nothing else.
"""

import difflib
import importlib
import inspect
import pkgutil
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import mmengine.registry as mm
from mmengine.utils import ManagerMixin

from toolkit.plugins import describe_plugins, load_plugins
from toolkit.signatures import part_parameters, wrong_kind
from toolkit.structures import InputError

__all__ = [
    'Registry', 'build_part', 'check_arguments', 'check_keys', 'did_you_mean', 'find_part', 'import_parts', 'load_plugins',
    'part_arguments', 'POSE_ESTIMATORS', 'POSE_NETWORKS', 'EDGE_DETECTORS', 'SEGMENTORS', 'COLORIZERS', 'WARPERS', 'RESTORERS',
    'ENCODERS', 'REGION_ENCODERS', 'GENERATORS', 'DISCRIMINATORS', 'LOSSES', 'MODELS', 'DATASETS', 'TRANSFORMS', 'DATA_SAMPLERS',
    'METRICS', 'HOOKS', 'LOOPS', 'VISUALIZERS', 'VISBACKENDS', 'MODEL_WRAPPERS', 'OPTIMIZERS', 'OPTIM_WRAPPERS',
    'OPTIM_WRAPPER_CONSTRUCTORS', 'PARAM_SCHEDULERS', 'PART_REGISTRIES', 'ENGINE_REGISTRIES']

SCOPE = 'toolkit'
KNOWN_SCOPES = (SCOPE, 'mmengine')
BUILD_ERRORS = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, AssertionError, RuntimeError)
"""What a constructor may raise for a value of a config that cannot be."""
LONGEST_SHOWN = 200


def import_parts(package: str) -> None:
    """Import every module of ``package`` so that its parts register themselves.

    Args:
        package: dotted name of a folder of parts, for example ``toolkit.generators``.
    """
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not module.name.startswith('_'):
            importlib.import_module(f'{package}.{module.name}')


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Near names as the end of a sentence, for example ``" Did you mean 'ngf'?"``; empty when nothing is near."""
    known = sorted(set(known))
    lower = {k.lower(): k for k in known}
    near = [lower[k] for k in difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.6)]
    return f' Did you mean {" or ".join(repr(k) for k in near)}?' if near else ''


def at_hand(registry: mm.Registry, name: str) -> bool:
    """Whether a part is known, and what it needs is installed, as far as it tells by ``is_installed()``; it is not built."""
    return name in registry and getattr(registry.get(name), 'is_installed', lambda: True)()


def check_keys(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse unknown keys of a dict that a user wrote.

    Args:
        given: keys found.
        known: keys allowed.
        where: name of the dict for the message, for example ``'model.losses'``.

    Raises:
        InputError: names the first unknown key, near names and everything allowed.
    """
    known = list(known)
    for key in given:
        if key not in known:
            raise InputError(f'{where}: unknown key {key!r}.{did_you_mean(str(key), known)} Known: '
                             f'{", ".join(map(str, known)) or "nothing"}.')


def part_arguments(part: Callable) -> set[str] | None:
    """Names of the arguments a class or function takes by keyword, see :func:`toolkit.signatures.part_parameters`.

    Returns:
        The names, or None when anything is accepted.
    """
    parameters = part_parameters(part)
    return None if parameters is None else set(parameters)


def check_arguments(part: Callable, given: Iterable[str], where: str) -> None:
    """Refuse arguments that ``part`` does not take.

    Args:
        part: a class or function.
        given: names of keyword arguments.
        where: how to name the part in the message.

    Raises:
        InputError: names the argument, near names and all arguments.
    """
    known = part_arguments(part)
    if known is None:
        return
    for key in given:
        if key not in known:
            takes = ', '.join(sorted(known)) or 'no arguments'
            raise InputError(f'{where}: {part.__name__} got an unknown argument {key!r}.{did_you_mean(str(key), known)} It takes: '
                             f'{takes}.')


def build_part(cfg: dict, registry: 'Registry', default_args: dict | None = None) -> Any:
    """Build one part from its config: look up ``type``, check the arguments, call.

    Args:
        cfg: dict with ``type`` and arguments.
        registry: where to look.
        default_args: arguments used where ``cfg`` does not give them.

    Raises:
        InputError: no or unknown ``type``, unknown or missing arguments, or values that the part cannot be built with.
    """
    if not isinstance(cfg, dict):
        raise InputError(f'a {registry.name} is configured by a dict with a "type", got {cfg!r}')
    args = {**(default_args or {}), **cfg}
    kind = args.pop('type', None)
    if kind is None:
        raise InputError(f'a {registry.name} needs a "type" in its config, got only {sorted(map(str, args))}. {registry.content()}')
    part = registry.get(kind) if isinstance(kind, str) else kind
    if not callable(part):
        raise InputError(f'type of a {registry.name} must be a registered name, got {kind!r}')
    check_arguments(part, args, registry.name)
    own = inspect.signature(part).parameters.values() if inspect.isclass(part) or inspect.isfunction(part) else ()
    named = [p for p in own if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    missing = [p.name for p in named if p.default is p.empty and p.name not in args]
    if missing:
        raise InputError(f'{registry.name}: {part.__name__} needs the argument {", ".join(map(repr, missing))}')
    parameters = part_parameters(part) or {}
    for key, value in args.items():
        if isinstance(value, str) and key in parameters and (expected := wrong_kind(value, *parameters[key])):
            raise PartError(registry, part, args, ValueError(f'{key} is a text, expected {expected}'))
    try:
        if inspect.isclass(part) and issubclass(part, ManagerMixin):
            return part.get_instance(**args)
        built = part(**args)
    except InputError:
        raise
    except BUILD_ERRORS as error:
        raise PartError(registry, part, args, error) from error
    for name, parameter in built.named_parameters() if hasattr(built, 'named_parameters') else ():
        if _is_empty(parameter):
            raise PartError(registry, part, args, ValueError(f'{name} of it would have the shape {tuple(parameter.shape)}'))
    return built


def _is_empty(parameter: Any) -> bool:
    try:
        return 0 in parameter.shape
    except RuntimeError:  # a lazy one, whose shape is not known yet
        return False


class PartError(InputError):
    """A part's constructor failed on its arguments.

    Args:
        registry: of the part.
        part: class or function.
        args: what it was called with.
        error: what it raised.

    Attributes:
        config: ``type`` and arguments.
    """

    def __init__(self, registry: 'Registry', part: Callable, args: dict, error: Exception) -> None:
        self.config = dict(args, type=part.__name__)
        given = ', '.join(f'{key}={value!r}' for key, value in args.items() if len(repr(value)) < LONGEST_SHOWN) or 'its arguments'
        place = traceback.extract_tb(error.__traceback__)[-1:]
        where = f' ({Path(place[0].filename).name}, line {place[0].lineno})' if place else ''
        super().__init__(f'the {registry.name} {part.__name__} cannot be built with {given}: {type(error).__name__}: {error}{where}')

    def __reduce__(self) -> tuple:
        """To another process only the message goes."""
        return InputError, self.args


class Registry(mm.Registry):
    """MMEngine's registry with helpful errors and without running dotted paths.

    An unknown name is answered with near names, the registry's content and the plugins that were loaded; a name of another registry
    with both kinds; a dotted path, which MMEngine would import and call, is refused.
    """

    def get(self, key: str) -> type | Callable:
        """Find a part.

        Args:
            key: registered name, or ``toolkit.Name`` and ``mmengine.Name``.

        Raises:
            InputError: unknown name, name of another kind of part, or dotted path.
        """
        scope, _, name = key.rpartition('.')
        if scope and scope not in KNOWN_SCOPES:
            raise InputError(
                f'{key!r} is a dotted path, not the name of a {self.name}. Paths in "type" are refused because they could run '
                f'anything: register the class and name its module in custom_imports.')
        part = self._find_with_plugins(scope, name)
        if part is None:
            raise InputError(self._explain(name))
        return part

    def __contains__(self, key: str) -> bool:
        scope, _, name = key.rpartition('.')
        return self._find_with_plugins(scope, name) is not None

    @property
    def contract(self) -> str:
        """What its parts are called with and what they return: the docstring of their folder."""
        return inspect.getdoc(importlib.import_module(self._locations[0])) or ''

    def content(self) -> str:
        """The registered names as a sentence."""
        self.import_from_location()
        names = sorted({*self._module_dict, *(self.parent.module_dict if self.parent is not None else ())})
        return f'Registered as {self.name}: {", ".join(names) or "nothing"}.'

    def _find_with_plugins(self, scope: str, name: str) -> type | Callable | None:
        part = self._find(scope, name)
        if part is None:
            load_plugins()
            part = self._find(scope, name)
        return part

    def _find(self, scope: str, name: str) -> type | Callable | None:
        self.import_from_location()
        if scope in ('', SCOPE) and name in self._module_dict:
            return self._module_dict[name]
        if scope in ('', 'mmengine') and self.parent is not None:
            return self.parent.module_dict.get(name)
        return None

    def _explain(self, name: str) -> str:
        known = [*self._module_dict, *(self.parent.module_dict if self.parent is not None else ())]
        plugins = f'Plugins loaded: {describe_plugins()}.'
        for other in ALL_REGISTRIES.values():
            if other is not self and name in other:
                return f'{name!r} is a {other.name}, but a {self.name} is expected here. {self.content()} {plugins}'
        hint = did_you_mean(name, known) or did_you_mean(name, (n for r in ALL_REGISTRIES.values() for n in r.module_dict))
        return (f'unknown {self.name} {name!r}.{hint} {self.content()} {plugins} A part of your own is found when its package has an '
                f'entry point in the group "toolkit.plugins", or when custom_imports (--import of tools/prepare_data.py) names its '
                f'module.')

    def _register_module(self, module: type, module_name: str | list[str] | None = None, force: bool = False) -> None:
        names = [module_name] if isinstance(module_name, str) else module_name or [module.__name__]
        for name in names:
            existing = self._module_dict.get(name)
            if existing is not None and not force:
                twice = existing.__qualname__ == module.__qualname__ and _source(existing) == _source(module) is not None
                reason = 'the same file was imported under two names; use one of them' if twice else 'choose another name'
                raise InputError(f'{self.name} {name!r} of {module.__module__} is already registered by {existing.__module__}: '
                                 f'{reason}')
        super()._register_module(module, module_name, force)


def _source(part: Callable) -> str | None:
    try:
        return inspect.getsourcefile(part)
    except TypeError:
        return None


def _root(name: str, folder: str) -> Registry:
    return Registry(name, scope=SCOPE, locations=[f'toolkit.{folder}'], build_func=build_part)


def _child(name: str, parent: mm.Registry, folder: str, *more: str) -> Registry:
    return Registry(name, parent=parent, scope=SCOPE, locations=[f'toolkit.{folder}', *more], build_func=build_part)


POSE_ESTIMATORS = _root('pose estimator', 'poses')
POSE_NETWORKS = _root('pose network', 'pose_networks')
EDGE_DETECTORS = _root('edge detector', 'edges')
SEGMENTORS = _root('segmentor', 'masks')
COLORIZERS = _root('colorizer', 'colors')
WARPERS = _root('warper', 'warpers')
RESTORERS = _root('restoration network', 'restorers')
ENCODERS = _root('encoder', 'encoders')
REGION_ENCODERS = _root('region encoder', 'region_encoders')
GENERATORS = _root('generator', 'generators')
DISCRIMINATORS = _root('discriminator', 'discriminators')
LOSSES = _root('loss', 'losses')

MODELS = _child('model', mm.MODELS, 'models', 'toolkit.model_parts', 'toolkit.baselines')
DATASETS = _child('dataset', mm.DATASETS, 'datasets', 'toolkit.distillation')
TRANSFORMS = _child('transform', mm.TRANSFORMS, 'datasets')
DATA_SAMPLERS = _child('data sampler', mm.DATA_SAMPLERS, 'engine')
METRICS = _child('metric', mm.METRICS, 'metrics')
HOOKS = _child('hook', mm.HOOKS, 'engine')
LOOPS = _child('loop', mm.LOOPS, 'engine')
VISUALIZERS = _child('visualizer', mm.VISUALIZERS, 'engine')
VISBACKENDS = _child('visualizer backend', mm.VISBACKENDS, 'engine', 'mmengine.visualization')
MODEL_WRAPPERS = _child('model wrapper', mm.MODEL_WRAPPERS, 'engine')
OPTIMIZERS = _child('optimizer', mm.OPTIMIZERS, 'engine', 'mmengine.optim')
OPTIM_WRAPPERS = _child('optimizer wrapper', mm.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('optimizer wrapper constructor', mm.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')
PARAM_SCHEDULERS = _child('parameter scheduler', mm.PARAM_SCHEDULERS, 'engine', 'mmengine.optim')

PART_REGISTRIES = dict(
    POSE_ESTIMATORS=POSE_ESTIMATORS, POSE_NETWORKS=POSE_NETWORKS, EDGE_DETECTORS=EDGE_DETECTORS, SEGMENTORS=SEGMENTORS,
    COLORIZERS=COLORIZERS, WARPERS=WARPERS, RESTORERS=RESTORERS, ENCODERS=ENCODERS, REGION_ENCODERS=REGION_ENCODERS,
    GENERATORS=GENERATORS, DISCRIMINATORS=DISCRIMINATORS, LOSSES=LOSSES)
ENGINE_REGISTRIES = dict(
    MODELS=MODELS, DATASETS=DATASETS, TRANSFORMS=TRANSFORMS, DATA_SAMPLERS=DATA_SAMPLERS, METRICS=METRICS, HOOKS=HOOKS, LOOPS=LOOPS,
    VISUALIZERS=VISUALIZERS, VISBACKENDS=VISBACKENDS, MODEL_WRAPPERS=MODEL_WRAPPERS, OPTIMIZERS=OPTIMIZERS,
    OPTIM_WRAPPERS=OPTIM_WRAPPERS, OPTIM_WRAPPER_CONSTRUCTORS=OPTIM_WRAPPER_CONSTRUCTORS, PARAM_SCHEDULERS=PARAM_SCHEDULERS)
ALL_REGISTRIES = {**PART_REGISTRIES, **ENGINE_REGISTRIES}


def find_part(name: str) -> dict[str, Callable]:
    """Every registry that has a part of this name.

    Args:
        name: registered name.

    Returns:
        Name of the registry -> the part; empty when nobody has it.
    """
    scope, _, bare = name.rpartition('.')
    found = {key: registry._find(scope, bare) for key, registry in ALL_REGISTRIES.items()}
    return {key: part for key, part in found.items() if part is not None}
