"""Every registry of the toolkit, one per kind of part.

Registries of parts are roots with scope ``toolkit``: a config names a part by ``type`` and the slot decides the registry. Registries
whose objects MMEngine's Runner builds are children of MMEngine's own. A folder of parts imports all its files by itself
(:func:`import_parts`), so that a new part is one new file and nothing else.
"""

import importlib
import pkgutil

import mmengine.registry as mm
from mmengine.registry import Registry

SCOPE = 'toolkit'


def import_parts(package: str) -> None:
    """Import every module of ``package`` so that its parts register themselves.

    Args:
        package: dotted name of a folder of parts, for example ``toolkit.generators``.
    """
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if not module.name.startswith('_'):
            importlib.import_module(f'{package}.{module.name}')


def _root(name: str, folder: str) -> Registry:
    return Registry(name, scope=SCOPE, locations=[f'toolkit.{folder}'])


def _child(name: str, parent: Registry, folder: str) -> Registry:
    return Registry(name, parent=parent, scope=SCOPE, locations=[f'toolkit.{folder}'])


POSE_ESTIMATORS = _root('pose estimator', 'poses')
EDGE_DETECTORS = _root('edge detector', 'edges')
SEGMENTORS = _root('segmentor', 'masks')
COLORIZERS = _root('colorizer', 'colors')
WARPERS = _root('warper', 'warpers')
ENCODERS = _root('encoder', 'encoders')
GENERATORS = _root('generator', 'generators')
DISCRIMINATORS = _root('discriminator', 'discriminators')
LOSSES = _root('loss', 'losses')

MODELS = _child('model', mm.MODELS, 'models')
DATASETS = _child('dataset', mm.DATASETS, 'data')
TRANSFORMS = _child('transform', mm.TRANSFORMS, 'data')
DATA_SAMPLERS = _child('data sampler', mm.DATA_SAMPLERS, 'engine')
METRICS = _child('metric', mm.METRICS, 'metrics')
HOOKS = _child('hook', mm.HOOKS, 'engine')
LOOPS = _child('loop', mm.LOOPS, 'engine')
VISUALIZERS = _child('visualizer', mm.VISUALIZERS, 'engine')
MODEL_WRAPPERS = _child('model_wrapper', mm.MODEL_WRAPPERS, 'engine')
OPTIM_WRAPPERS = _child('optim_wrapper', mm.OPTIM_WRAPPERS, 'engine')
OPTIM_WRAPPER_CONSTRUCTORS = _child('optimizer wrapper constructor', mm.OPTIM_WRAPPER_CONSTRUCTORS, 'engine')

PART_REGISTRIES = dict(
    POSE_ESTIMATORS=POSE_ESTIMATORS, EDGE_DETECTORS=EDGE_DETECTORS, SEGMENTORS=SEGMENTORS, COLORIZERS=COLORIZERS, WARPERS=WARPERS,
    ENCODERS=ENCODERS, GENERATORS=GENERATORS, DISCRIMINATORS=DISCRIMINATORS, LOSSES=LOSSES)
ENGINE_REGISTRIES = dict(
    MODELS=MODELS, DATASETS=DATASETS, TRANSFORMS=TRANSFORMS, DATA_SAMPLERS=DATA_SAMPLERS, METRICS=METRICS, HOOKS=HOOKS, LOOPS=LOOPS,
    VISUALIZERS=VISUALIZERS, MODEL_WRAPPERS=MODEL_WRAPPERS, OPTIM_WRAPPERS=OPTIM_WRAPPERS,
    OPTIM_WRAPPER_CONSTRUCTORS=OPTIM_WRAPPER_CONSTRUCTORS)
