"""ViTPose of transformers as pose estimator."""

import numpy as np
import torch

from toolkit.poses.decode import Person
from toolkit.registry import POSE_ESTIMATORS
from toolkit.skeletons import to_openpose18
from toolkit.structures import InputError
from transformers_human.models import load

PERSON = 'person'


@POSE_ESTIMATORS.register_module()
class ViTPose:
    """ViTPose and ViTPose++ (Xu et al. 2022, 2023), COCO's 17 joints given as OpenPose-18.

    With a detector everybody in view is found; without one the whole frame is taken for one person.

    Args:
        model: folder, or a name of the Hugging Face Hub.
        detector: an object detector of transformers that knows persons, such as 'PekingU/rtdetr_r50vd_coco_o365'; None for none.
        sure: least score of a detected person.
        threshold: joints of less confidence are missing.
        device: such as 'cpu'; the GPU if there is one.
        download: models that are not there may be loaded from the internet.

    Raises:
        InputError: transformers is not installed, or a model of another kind.
        MissingWeightsError: a model that is not there.
    """

    name, version = 'vitpose', '1'
    follows = True

    def __init__(self, model: str = 'usyd-community/vitpose-base-simple', detector: str | None = None, sure: float = 0.5,
                 threshold: float = 0.1, device: str | None = None, download: bool = False):
        self.threshold, self.sure = threshold, sure
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        self.processor = load('AutoImageProcessor', model, download)
        self.model = load('VitPoseForPoseEstimation', model, download).to(self.device).eval()
        if self.model.config.num_labels != 17:
            raise InputError(f'{model}: finds {self.model.config.num_labels} joints, expected the 17 of COCO')
        self.detector = None
        if detector is not None:
            self.looks = load('AutoImageProcessor', detector, download)
            self.detector = load('AutoModelForObjectDetection', detector, download).to(self.device).eval()
            if PERSON not in self.detector.config.label2id:
                raise InputError(f'{detector}: has no label {PERSON!r}')

    @torch.no_grad()
    def detect(self, frames: np.ndarray) -> list[list[Person]]:
        """Everybody in each frame.

        Args:
            frames: (T, H, W, 3) uint8 RGB.

        Returns:
            For each frame its people; poses (18, 3) float32 in pixels.
        """
        return [self._people(np.ascontiguousarray(frame)) for frame in frames]

    def __call__(self, frames: np.ndarray) -> np.ndarray:
        """The most prominent person of each frame: (T, H, W, 3) uint8 RGB -> (T, 18, 3) float32; all zero where nobody is."""
        nobody = Person(np.zeros((18, 3), np.float32), 0.)
        return np.stack([max(people, key=lambda p: p.prominence, default=nobody).pose for people in self.detect(frames)])

    def _boxes(self, frame: np.ndarray) -> np.ndarray:
        """People as x, y, width, height, (N, 4)."""
        height, width = frame.shape[:2]
        if self.detector is None:
            return np.float32([[0, 0, width, height]])
        given = self.looks(images=frame, return_tensors='pt', input_data_format='channels_last').to(self.device)
        found, = self.looks.post_process_object_detection(self.detector(**given), self.sure, [(height, width)])
        boxes = found['boxes'][found['labels'] == self.detector.config.label2id[PERSON]].cpu().numpy().reshape(-1, 4)
        return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], 1)

    def _people(self, frame: np.ndarray) -> list[Person]:
        boxes = self._boxes(frame)
        if not len(boxes):
            return []
        given = self.processor(images=frame, boxes=[boxes.tolist()], return_tensors='pt', input_data_format='channels_last')
        if getattr(self.model.config.backbone_config, 'num_experts', 1) > 1:
            given['dataset_index'] = torch.zeros(len(boxes), dtype=torch.long)  # the expert for the joints of COCO
        found, = self.processor.post_process_pose_estimation(self.model(**given.to(self.device)), boxes=[boxes])
        people, (height, width) = [], frame.shape[:2]
        for one in found:
            joints = np.zeros((17, 3), np.float32)
            labels = one['labels'].cpu().numpy()
            joints[labels, :2], joints[labels, 2] = one['keypoints'].cpu().numpy(), one['scores'].cpu().numpy().clip(0, 1)
            outside = (joints[:, :2] < -.5).any(1) | (joints[:, 0] > width - .5) | (joints[:, 1] > height - .5)
            joints[outside | (joints[:, 2] < self.threshold)] = 0
            pose = to_openpose18(joints, 'coco17')
            if (pose[:, 2] > 0).any():
                people.append(Person(pose, float(pose[:, 2].sum())))
        return people
