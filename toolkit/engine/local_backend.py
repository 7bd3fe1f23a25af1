"""MMEngine's backend that writes into the folder of the run, without what is there already."""

from mmengine.visualization import LocalVisBackend as MMEngineLocalVisBackend

from toolkit.registry import VISBACKENDS


@VISBACKENDS.register_module()
class LocalVisBackend(MMEngineLocalVisBackend):
    """Writes pictures and the config as files. Scalars are left to ``ScalarLogger``, which writes the same file, and cuts it on resume.

    Args:
        kwargs: of MMEngine's ``LocalVisBackend``.
    """

    def add_scalar(self, *args, **kwargs) -> None:
        """Nothing."""

    def add_scalars(self, *args, **kwargs) -> None:
        """Nothing."""
