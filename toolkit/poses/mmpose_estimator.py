"""Any top-down 2D human pose model of MMPose, by its config and checkpoint or by its alias."""

import contextlib
import difflib
import importlib
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
import types
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from toolkit.doors import check_nested, check_zip, regular, shortened
from toolkit.poses.boxes import Box, pose_box
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import COCO17, JOINTS, to_openpose18
from toolkit.structures import InputError

INSTALL_HINT = 'pip install --no-deps mmpose==1.3.2 mmdet==3.2.0, then json_tricks munkres pycocotools shapely terminaltables'
MIN_JOINTS = 4


class _MissingExtension(types.ModuleType):
    """Stand-in for ``mmcv._ext`` of a full mmcv: every operation exists and raises when it is called."""

    def __getattr__(self, name: str):
        if name.startswith('__'):
            raise AttributeError(name)

        def operation(*args, **kwargs):
            raise RuntimeError(f'this model needs the compiled operation {name} of mmcv; install the full mmcv instead of mmcv-lite')

        return operation


def _provide_mmcv_extension() -> None:
    """MMPose imports all of mmcv.ops, whose compiled part mmcv-lite lacks. The real one is left alone."""
    if 'mmcv._ext' not in sys.modules and importlib.util.find_spec('mmcv._ext') is None:
        module = _MissingExtension('mmcv._ext')
        module.__spec__ = importlib.machinery.ModuleSpec('mmcv._ext', None)
        sys.modules['mmcv._ext'] = module


def _provide_xtcocotools() -> None:
    """Let pycocotools stand in where xtcocotools is absent or built for numpy 1."""
    names = ('coco', 'cocoeval', 'mask')
    try:
        for name in names:
            importlib.import_module(f'xtcocotools.{name}')
    except (ImportError, ValueError):
        sys.modules['xtcocotools'] = importlib.import_module('pycocotools')
        for name in names:
            sys.modules[f'xtcocotools.{name}'] = importlib.import_module(f'pycocotools.{name}')


@contextlib.contextmanager
def _pkg_resources() -> Iterator[None]:
    """While MMPose is imported, stand in for setuptools' ``pkg_resources``, which newer setuptools no longer have."""
    name = 'pkg_resources'
    absent = name not in sys.modules and importlib.util.find_spec(name) is None
    if absent:
        module = types.ModuleType(name)
        module.DistributionNotFound = importlib.metadata.PackageNotFoundError
        module.get_distribution = lambda package: types.SimpleNamespace(
            location=str(importlib.metadata.distribution(package).locate_file('')))
        sys.modules[name] = module
    try:
        yield
    finally:
        if absent:
            del sys.modules[name]


def import_mmpose() -> types.ModuleType:
    """Import ``mmpose.apis``, with stand-ins for what it imports and this use never calls.

    Raises:
        InputError: MMPose, or something it needs, is not installed.
    """
    try:
        _provide_mmcv_extension()
        _provide_xtcocotools()
        with _pkg_resources():
            return importlib.import_module('mmpose.apis')
    except ImportError as error:
        raise InputError(f'MMPose cannot be imported ({error}); install it: {INSTALL_HINT}') from error


def shipped_configs() -> Path:
    """Folder of the configs inside the installed mmpose package."""
    return Path(importlib.import_module('mmpose').__file__).parent / '.mim' / 'configs'


def resolve_model(name: str) -> tuple[Path, str | None]:
    """Find a model's config.

    Args:
        name: path of a config; or the name of a config that mmpose ships, with or without folders; or a model's name or alias in
            mmpose's index, for example ``human``.

    Returns:
        The config, and the address of its published weights if ``name`` is from the index.

    Raises:
        InputError: no such config or model; the message names similar ones.
    """
    if Path(name).is_file():
        return Path(name), None
    shipped = shipped_configs()
    if name.endswith('.py'):
        matches = [c for c in shipped.rglob(Path(name).name) if c.as_posix().endswith('/' + name.removeprefix('/'))]
        if len(matches) == 1:
            return matches[0], None
        known = [c.name for c in shipped.rglob('*.py')]
    else:
        models = _model_index(shipped.parent)
        if name.lower() in models:
            return models[name.lower()]
        known = list(models)
    near = ', '.join(difflib.get_close_matches(name, known, 4)) or 'none'
    raise InputError(f'{name}: no such config file, and no model of this name in mmpose; similar names: {near}')


def _model_index(folder: Path) -> dict[str, tuple[Path, str]]:
    from mmengine.fileio import load
    models = {}
    for file in load(folder / 'model-index.yml')['Import']:
        for model in load(folder / file)['Models']:
            aliases = model.get('Alias', [])
            weights = model['Weights'][0] if isinstance(model['Weights'], list) else model['Weights']
            for alias in [model['Name'], *([aliases] if isinstance(aliases, str) else aliases)]:
                models.setdefault(alias.lower(), (folder / model['Config'], weights))
    return models


def load_weights(source: str) -> dict:
    """Read an OpenMMLab checkpoint without running code from it.

    Args:
        source: path or address.

    Returns:
        The checkpoint's dictionary with 'state_dict' and perhaps 'meta'.

    Raises:
        InputError: it cannot be read, or holds other objects than tensors, arrays and plain values.
    """
    from mmengine.logging.history_buffer import HistoryBuffer
    reconstruct = np.empty(0).__reduce__()[0]
    scalar = np.float64(0).__reduce__()[0]
    number_types = [type(np.dtype(kind)) for kind in ('f4', 'f8', 'i4', 'i8', 'u1', 'b1')]
    allowed = [HistoryBuffer, np.ndarray, np.dtype, *number_types]
    for package in ('numpy.core', 'numpy._core'):
        allowed += [(reconstruct, f'{package}.multiarray._reconstruct'), (scalar, f'{package}.multiarray.scalar')]
    try:
        with torch.serialization.safe_globals(allowed):
            if '://' in source:
                content = torch.hub.load_state_dict_from_url(source, map_location='cpu', weights_only=True)
            else:
                if zipfile.is_zipfile(regular(source)):
                    check_zip(source, 'checkpoint', stored=True)
                content = torch.load(source, map_location='cpu', weights_only=True)
    except InputError:
        raise
    except Exception as error:  # the unpickler may fail in any way on a file of others
        raise InputError(f'{source}: cannot be read as a checkpoint ({shortened(error)})') from error
    check_nested(content, source)
    if not isinstance(content, dict):
        raise InputError(f'{source}: holds a {type(content).__name__}, expected the dictionary of an MMPose checkpoint')
    return content if 'state_dict' in content else {'state_dict': content}


@POSE_ESTIMATORS.register_module()
class MMPoseEstimator:
    """A top-down model of MMPose 1.x as pose estimator.

    There is no person detector: the model looks at the whole frame first, then at the box of the pose it found, and in the following
    frames at the box of the pose before. Joints are matched by name, so that any dataset's keypoints will do.

    Args:
        model: config file, name of a config that mmpose ships, or model name or alias.
        checkpoint: path or address of weights; by default those of the alias. A config without a checkpoint has random weights.
        device: where to run it.
        threshold: smallest confidence of a joint.

    Raises:
        InputError: MMPose is not installed, or the model or checkpoint is unknown or does not fit.
    """

    name = 'mmpose'
    resumes = True

    def __init__(self, model: str, checkpoint: str | None = None, device: str = 'cpu', threshold: float = 0.1):
        from mmengine.registry import DefaultScope
        self.apis = import_mmpose()
        config, published = resolve_model(model)
        checkpoint = checkpoint or published
        self.threshold = threshold
        self.scope = DefaultScope.overwrite_default_scope
        with self.scope('mmpose'):
            self.model = self.apis.init_model(str(config), None, device=device)
        if checkpoint is None:
            warnings.warn(f'{config.name}: no checkpoint given, the model has random weights', stacklevel=2)
        else:
            self._load(checkpoint)
        self.version = f'{config.stem}@{Path(checkpoint).stem if checkpoint else "random"}'
        names = self.model.dataset_meta['keypoint_name2id']
        self.indices = {joint: names[joint] for joint in (*COCO17, 'neck') if joint in names}
        if not self.indices:
            raise InputError(f'{model}: its keypoints {sorted(names)[:5]}... are no human body joints')

    def _load(self, checkpoint: str) -> None:
        content = load_weights(checkpoint)
        meta = {k.lower(): v for k, v in content.get('meta', {}).get('dataset_meta', {}).items()}
        try:
            self.model.load_state_dict(content['state_dict'])
        except RuntimeError as error:
            raise InputError(f'{checkpoint}: does not fit the model ({str(error)[:300]})') from error
        if 'keypoint_name2id' in meta:
            self.model.dataset_meta = meta

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """Poses (T, 18, 3) float32 of frames (T, H, W, 3) uint8 RGB, see :mod:`toolkit.poses`."""
        return np.array(list(self.track(frames)), np.float32).reshape(-1, len(JOINTS), 3)

    def track(self, frames: Iterable[np.ndarray], last: np.ndarray | None = None) -> Iterator[np.ndarray]:
        """Follow one person, see :mod:`toolkit.preparing.poses`."""
        for frame in frames:
            box = pose_box(last) if last is not None and (last[:, 2] > 0).sum() >= MIN_JOINTS else None
            if box is None:
                whole = (0, 0, frame.shape[1] - 1, frame.shape[0] - 1)
                box = pose_box(self._locate(frame, whole)) or whole
            last = self._locate(frame, box)
            yield last

    def _locate(self, frame: np.ndarray, box: Box) -> np.ndarray:
        """(18, 3) joints of the person in a box."""
        with self.scope('mmpose'):
            result = self.apis.inference_topdown(self.model, frame[..., ::-1], np.array([box], np.float32))[0].pred_instances
        points = np.concatenate([result.keypoints[0], result.keypoint_scores[0][:, None]], -1).astype(np.float32)
        outside = (points[:, :2] < -0.5).any(-1) | (points[:, :2] > (frame.shape[1] - 0.5, frame.shape[0] - 0.5)).any(-1)
        points[outside | (points[:, 2] < self.threshold)] = 0
        points[:, 2] = np.minimum(points[:, 2], 1)
        coco = np.zeros((len(COCO17), 3), np.float32)
        for i, joint in enumerate(COCO17):
            if joint in self.indices:
                coco[i] = points[self.indices[joint]]
        pose = to_openpose18(coco, 'coco17')
        if 'neck' in self.indices:
            pose[JOINTS.index('neck')] = points[self.indices['neck']]
        return pose
