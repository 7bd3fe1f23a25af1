"""rtmlib for human-video-toolkit: the pose estimator ``RTMLibPose``. rtmlib is imported when it is built."""

from rtmlib_human.pose import RTMLibPose

__all__ = ['RTMLibPose']
