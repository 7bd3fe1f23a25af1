"""Hugging Face transformers for human-video-toolkit: the pose estimator ``ViTPose`` and the person segmentor ``SemanticSegmentor``.

transformers is imported when one of them is built.
"""

from transformers_human.pose import ViTPose
from transformers_human.segmentor import SemanticSegmentor

__all__ = ['SemanticSegmentor', 'ViTPose']
