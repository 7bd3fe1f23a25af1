"""Set-up of data loading processes."""

import signal

import cv2
import torch


def ignore_signals(worker_id: int) -> None:
    """Leave Ctrl-C and termination to the main process, which ends its workers itself, and use one thread each.

    Args:
        worker_id: given by torch's DataLoader.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
