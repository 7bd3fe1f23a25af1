"""RTMPose of rtmlib as pose estimator: ONNX models, on CPU or GPU, without MMPose."""

import contextlib
import io
from pathlib import Path
from urllib.parse import urlparse

import cv2
import numpy as np

from toolkit.poses.decode import Person
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import to_openpose18
from toolkit.structures import InputError, MissingWeightsError, find_weights

MODES = ('lightweight', 'balanced', 'performance')
BACKENDS = ('onnxruntime', 'opencv', 'openvino')


@POSE_ESTIMATORS.register_module()
class RTMLibPose:
    """RTMPose (Jiang et al. 2023) on the people that YOLOX finds, COCO's 17 joints given as OpenPose-18.

    Everybody in view is given, so that ``--follow`` can choose. Models are files of the weight folders, under the names under which
    OpenMMLab publishes them, or any of your own.

    Args:
        mode: which of rtmlib's models: 'lightweight', 'balanced' or 'performance'.
        pose: an .onnx file in place of the mode's.
        pose_size: (W, H) of the input of such a file, by default 192x256.
        det: an .onnx file of a detector in place of the mode's; '' for none: the whole frame is one person.
        det_size: (W, H) of the input of such a file, by default 640x640.
        backend: 'onnxruntime', 'opencv' or 'openvino'.
        device: such as 'cpu' or 'cuda'.
        threshold: joints of less confidence are missing.
        download: let rtmlib load models that are not there from the internet.

    Raises:
        InputError: rtmlib is not installed, or a value that cannot be.
        MissingWeightsError: a model that is not there.
    """

    name = 'rtmlib_pose'
    follows = True

    def __init__(self, mode: str = 'balanced', pose: str | None = None, pose_size: tuple[int, int] | None = None,
                 det: str | None = None, det_size: tuple[int, int] | None = None, backend: str = 'onnxruntime', device: str = 'cpu',
                 threshold: float = 0.1, download: bool = False):
        for what, value, known in (('mode', mode, MODES), ('backend', backend, BACKENDS)):
            if value not in known:
                raise InputError(f'RTMLibPose: {what} must be one of {", ".join(known)}, got {value!r}')
        for what, size, file in (('pose', pose_size, pose), ('det', det_size, det)):
            if size is not None and not file:
                raise InputError(f'RTMLibPose: {what}_size={size!r} is for a file of your own: give {what}=FILE, too, or leave it out')
        try:
            import rtmlib
        except ImportError as error:
            raise InputError(f'RTMLibPose needs rtmlib ({error}): pip install --no-deps rtmlib && pip install onnxruntime') from error
        self.threshold, self.version = threshold, getattr(rtmlib, '__version__', 'unknown')
        known = rtmlib.Body.MODE[mode]
        pose_size = known['pose_input_size'] if pose is None else pose_size or (192, 256)
        det_size = known['det_input_size'] if det is None else det_size or (640, 640)
        options = dict(backend=backend, device=device)
        with contextlib.redirect_stdout(io.StringIO()):
            self.pose = rtmlib.RTMPose(model(pose, known['pose'], download), model_input_size=tuple(pose_size), **options)
            self.det = None
            if det != '':
                self.det = rtmlib.YOLOX(model(det, known['det'], download), model_input_size=tuple(det_size), **options)

    def detect(self, frames: np.ndarray) -> list[list[Person]]:
        """Everybody in each frame.

        Args:
            frames: (T, H, W, 3) uint8 RGB.

        Returns:
            For each frame its people; poses (18, 3) float32 in pixels.
        """
        return [self._people(frame) for frame in frames]

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """The most prominent person of each frame: (T, H, W, 3) uint8 RGB -> (T, 18, 3) float32; all zero where nobody is."""
        nobody = Person(np.zeros((18, 3), np.float32), 0.)
        return np.stack([max(people, key=lambda p: p.prominence, default=nobody).pose for people in self.detect(frames)])

    def _people(self, frame: np.ndarray) -> list[Person]:
        picture = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2BGR)  # rtmlib's models see OpenCV's order
        boxes = [[0, 0, frame.shape[1], frame.shape[0]]] if self.det is None else self.det(picture)
        if len(boxes) == 0:
            return []
        points, scores = self.pose(picture, bboxes=boxes)
        people = []
        for joints, confidence in zip(points, scores):
            found = np.concatenate([joints, np.clip(confidence, 0, 1)[:, None]], 1).astype(np.float32)
            height, width = frame.shape[:2]
            outside = (found[:, :2] < -.5).any(1) | (found[:, 0] > width - .5) | (found[:, 1] > height - .5)
            found[outside | (found[:, 2] < self.threshold)] = 0
            pose = to_openpose18(found, 'coco17')
            if (pose[:, 2] > 0).any():
                people.append(Person(pose, float(pose[:, 2].sum())))
        return people


def model(given: str | None, published: str, download: bool) -> str:
    """The file of a model: a path as it is, a name in the weight folders, or, where that is allowed, the address.

    Args:
        given: path or name; None for the published one.
        published: address of the published one.
        download: whether rtmlib may load it.

    Raises:
        MissingWeightsError: it is not there.
    """
    if given is not None and Path(given).is_file():
        return str(given)
    name = given or f'{Path(urlparse(published).path).stem}.onnx'
    try:
        return str(find_weights(name))
    except MissingWeightsError as error:
        if download and given is None:
            return published
        cure = '' if given else f' It is in {published} (end2end.onnx, to be renamed), or say download=True.'
        raise MissingWeightsError(f'{error}{cure}') from None
