"""MediaPipe for human-video-toolkit: the pose estimator ``MediaPipePose`` and the person segmenter ``MediaPipeSegmentor``.

Importing this package registers both by name and does not import mediapipe, which happens when one of them is built.
"""

from mediapipe_human.pose import MediaPipePose
from mediapipe_human.segmentor import MediaPipeSegmentor

__all__ = ['MediaPipePose', 'MediaPipeSegmentor']
