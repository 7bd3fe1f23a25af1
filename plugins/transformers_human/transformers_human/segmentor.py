"""Semantic segmentation of transformers as person segmentor."""

import numpy as np
import torch
import torch.nn.functional as F

from toolkit.registry import SEGMENTORS
from toolkit.structures import InputError
from transformers_human.models import load


@SEGMENTORS.register_module()
class SemanticSegmentor:
    """The label 'person' of any semantic segmentation model, such as SegFormer (Xie et al. 2021). Everybody in view is segmented.

    Args:
        model: folder, or a name of the Hugging Face Hub.
        label: name of the label in the model's config.
        device: such as 'cpu'; the GPU if there is one.
        download: a model that is not there may be loaded from the internet.

    Raises:
        InputError: transformers is not installed, a model of another kind, or one that lacks the label.
        MissingWeightsError: a model that is not there.
    """

    name, version = 'semantic_segmentor', '1'

    def __init__(self, model: str = 'nvidia/segformer-b0-finetuned-ade-512-512', label: str = 'person', device: str | None = None,
                 download: bool = False):
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        self.processor = load('AutoImageProcessor', model, download)
        self.model = load('AutoModelForSemanticSegmentation', model, download).to(self.device).eval()
        labels = {name.strip().lower(): int(number) for name, number in self.model.config.label2id.items()}
        if label.lower() not in labels:
            raise InputError(f'{model}: has no label {label!r}; it has {", ".join(sorted(labels)[:20])}')
        self.number = labels[label.lower()]

    @torch.no_grad()
    def __call__(self, frames: np.ndarray, poses: np.ndarray | None = None) -> np.ndarray:
        """Segment people.

        Args:
            frames: (T, H, W, 3) uint8 RGB.
            poses: not used.

        Returns:
            (T, H, W) float32 probability in [0, 1].
        """
        masks = []
        for frame in frames:
            given = self.processor(images=np.ascontiguousarray(frame), return_tensors='pt', input_data_format='channels_last')
            logits = self.model(**given.to(self.device)).logits.float()
            logits = F.interpolate(logits, size=frame.shape[:2], mode='bilinear', align_corners=False)
            masks.append(logits.softmax(1)[0, self.number].cpu().numpy())
        return np.stack(masks).astype(np.float32) if masks else np.zeros(frames.shape[:3], np.float32)
