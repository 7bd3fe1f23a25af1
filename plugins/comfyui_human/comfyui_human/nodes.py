"""The nodes. ComfyUI is not imported: a node is a class with INPUT_TYPES, RETURN_TYPES, FUNCTION and CATEGORY."""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

CATEGORY = 'human video'


def _known_from(path: str) -> tuple[str, float]:
    path = Path(path.strip())
    return str(path), path.stat().st_mtime if path.exists() else 0.


class LoadPerson:
    """Prepare a picture, video or folder of pictures of somebody; a prepared clip is taken as it is."""

    CATEGORY, FUNCTION = CATEGORY, 'load'
    RETURN_TYPES, RETURN_NAMES = ('HVT_CLIP', 'IMAGE'), ('person', 'first frame')

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """What the node is given."""
        return dict(required=dict(path=('STRING', dict(default='me.mp4')), work_dir=('STRING', dict(default='output/human_video'))))

    @classmethod
    def IS_CHANGED(cls, path: str, work_dir: str) -> tuple:
        """Another value where the file has changed, so that ComfyUI runs the node again."""
        return _known_from(path)

    @classmethod
    def VALIDATE_INPUTS(cls, path: str) -> bool | str:
        """True, or what is wrong, before anything runs."""
        return True if Path(path.strip()).exists() else f'{path}: no such file or folder'

    def load(self, path: str, work_dir: str) -> tuple[Any, torch.Tensor]:
        """The clip, and its first frame as (1, H, W, 3) in [0, 1]."""
        from toolkit import apis
        clip = apis.as_clip(path.strip(), work_dir, None, progress=False)
        return clip, as_images([clip.frame(0)])


class LoadDriving(LoadPerson):
    """Prepare the video of somebody who moves."""

    RETURN_NAMES = ('driving', 'first frame')


class Looks:
    """What the person wears: colors of the upper and the lower garment; an empty one stays as it is."""

    CATEGORY, FUNCTION = CATEGORY, 'choose'
    RETURN_TYPES, RETURN_NAMES = ('HVT_LOOKS',), ('looks',)

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """What the node is given."""
        return dict(required=dict(up=('STRING', dict(default='#2050c0')), down=('STRING', dict(default=''))))

    def choose(self, up: str, down: str) -> tuple[Any]:
        """Checked colors."""
        from toolkit import apis
        return (apis.Colors(up.strip() or None, down.strip() or None),)


class Animate:
    """The person does what the driving video shows; frames for a preview or a video node."""

    CATEGORY, FUNCTION = CATEGORY, 'animate'
    RETURN_TYPES, RETURN_NAMES = ('IMAGE', 'FLOAT'), ('frames', 'fps')
    _loaded: ClassVar[dict] = {}

    @classmethod
    def INPUT_TYPES(cls) -> dict:
        """What the node is given."""
        return dict(
            required=dict(person=('HVT_CLIP',), driving=('HVT_CLIP',), checkpoint=('STRING', dict(default='textured')),
                          max_frames=('INT', dict(default=0, min=0, max=100000)), fit_to_body=(['auto', 'on', 'off'],)),
            optional=dict(looks=('HVT_LOOKS',)))

    def animate(self, person: Any, driving: Any, checkpoint: str, max_frames: int, fit_to_body: str, looks: Any = None) -> tuple:
        """Frames (T, H, W, 3) float32 in [0, 1], and frames a second.

        Args:
            person, driving: of the two nodes that load.
            checkpoint: name, file or work dir.
            max_frames: stop after so many; 0 for all.
            fit_to_body: as of ``hvt generate --retarget``.
            looks: of :class:`Looks`.
        """
        from toolkit import apis
        trained = self._model(apis, checkpoint)
        request = apis.Request(driving.folder, person.folder, retarget=fit_to_body, max_frames=max_frames or None,
                               colors=looks or apis.Colors())
        chosen = apis.choose(trained, request, Path(person.folder).parent, progress=False)
        return as_images([row[0] for row in apis.paint(trained, chosen)]), float(driving.fps)

    @classmethod
    def IS_CHANGED(cls, checkpoint: str, **others: Any) -> tuple:
        """Another value where the file of the checkpoint is another one, so that ComfyUI runs the node again."""
        from toolkit.weights import checkpoint_file
        return _known_from(str(checkpoint_file(checkpoint.strip())))

    @classmethod
    def _model(cls, apis: Any, checkpoint: str) -> Any:
        """A model, which is loaded once, and again when its run has gone on."""
        known = cls.IS_CHANGED(checkpoint)
        if known not in cls._loaded:
            cls._loaded.clear()
            cls._loaded[known] = apis.load(checkpoint.strip(), fast=True)
        return cls._loaded[known]


def as_images(frames: list[np.ndarray]) -> torch.Tensor:
    """Frames (H, W, 3) uint8 -> ComfyUI's IMAGE, (T, H, W, 3) float32 in [0, 1]."""
    return torch.from_numpy(np.stack(frames)).float() / 255


NODE_CLASS_MAPPINGS = dict(HVTLoadPerson=LoadPerson, HVTLoadDriving=LoadDriving, HVTLooks=Looks, HVTAnimate=Animate)
NODE_DISPLAY_NAME_MAPPINGS = dict(
    HVTLoadPerson='Load person', HVTLoadDriving='Load driving video', HVTLooks='Looks', HVTAnimate='Animate')
