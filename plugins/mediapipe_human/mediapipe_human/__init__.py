"""MediaPipe for human-video-toolkit: the pose estimator ``MediaPipePose`` and the person segmenter ``MediaPipeSegmentor``.

Importing this package registers both by name and does not import mediapipe, which happens when one of them is built. Where mediapipe is
not installed, as on Python 3.13, neither is registered: the toolkit then takes other parts by itself.
"""

from mediapipe_human.solution import is_installed

if is_installed():
    from mediapipe_human.pose import MediaPipePose
    from mediapipe_human.segmentor import MediaPipeSegmentor

    __all__ = ['MediaPipePose', 'MediaPipeSegmentor']
