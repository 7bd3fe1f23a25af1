"""A live run: capture, pose, retarget, reference, paint, show."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from toolkit.live.movement import Mover, finder
from toolkit.live.person import LivePerson
from toolkit.live.stages import LOOK, Chain, Shot
from toolkit.live.timing import Timing
from toolkit.machine import cores
from toolkit.poses.draw import draw_pose_on
from toolkit.structures import InputError

LEAST_HEIGHT = 384
"""Pictures are enlarged for showing until they are so high."""
BLANK = 240, 320
"""Size of the gray picture that stages begin with."""
STALL = 2.
"""After so many seconds without a new frame the picture says so."""


@dataclass
class View:
    """What is shown.

    Attributes:
        side_by_side: the camera's picture with the pose beside the result.
        figures: frames a second and latency on the picture.
    """

    side_by_side: bool = False
    figures: bool = True

    def compose(self, shot: Shot, line: str) -> np.ndarray:
        """The picture to show, (H, W, 3) uint8 RGB, of a shot whose value is the result."""
        times = -(-LEAST_HEIGHT // len(shot.value))
        picture = cv2.resize(shot.value, None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC) if times > 1 else shot.value
        if self.side_by_side:
            height, width = shot.frame.shape[:2]
            factor = len(picture) / height
            camera = cv2.resize(shot.frame, (2 * round(width * factor / 2), len(picture)), interpolation=cv2.INTER_AREA)
            pose = shot.pose * (camera.shape[1] / width, factor, 1)
            picture = np.concatenate([draw_pose_on(camera, pose.astype(np.float32)), picture], 1)
        return written(picture, line) if self.figures else picture


def written(picture: np.ndarray, text: str) -> np.ndarray:
    """A copy of a picture with a line of text on a dark bar at its top, made smaller where it is too long."""
    picture, scale = picture.copy(), .5
    (width, height), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    if width > picture.shape[1] - 8:
        scale *= (picture.shape[1] - 8) / width
    picture[:height + below + 8] //= 3
    cv2.putText(picture, text, (4, height + 4), cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return picture


class Live:
    """One run.

    Args:
        source: of :func:`toolkit.live.sources.open_source`.
        estimator: a ``POSE_ESTIMATORS`` part.
        person: who is painted.
        sink: of :func:`toolkit.live.sinks.open_sink`.
        parts: see :meth:`toolkit.live.person.LivePerson.inputs`.
        view: what is shown.
        retarget: fit the movement to the body of the person; None where that is known.
        seconds: stop after so many; None goes on until the end of the source.
        patience: give up after so many seconds without a new frame; None never does.
        say: called with a line about what happens.

    Raises:
        InputError: ``retarget`` is given for a person whose body is not known.
    """

    def __init__(self, source, estimator, person: LivePerson, sink, parts: dict | None = None, view: View | None = None,
                 retarget: bool | None = None, seconds: float | None = None, patience: float | None = 30.,
                 say: Callable[[str], None] = print) -> None:
        if retarget is not None and person.poses is None:
            raise InputError('--retarget fits the movement to the body of PERSON, but this model knows its persons and paints the '
                             'frames as they come: leave --retarget out')
        self.person, self.sink, self.view, self.say = person, sink, view or View(), say
        self.seconds, self.patience, self.timing = seconds, patience, Timing()
        self.mover = Mover(person.size, None if retarget is False else person.poses)
        self.find, self.parts, self._anew = finder(estimator), parts or {}, threading.Event()
        self._threads, self._ready = min(max(1, cores() - 1), torch.get_num_threads()), False
        self.chain = Chain(source, dict(pose=self._pose, retarget=self._retarget, reference=self._reference, paint=self._paint))

    def _pose(self, shot: Shot) -> np.ndarray:
        shot.pose = self.find(shot.frame)
        return shot.pose

    def _retarget(self, shot: Shot) -> np.ndarray:
        if self._anew.is_set():
            self._anew.clear()
            self.mover.begin()
        return self.mover(shot.pose, shot.frame.shape[:2], shot.time)

    def _reference(self, shot: Shot) -> dict:
        return self.person.inputs(shot, self.parts)

    def _paint(self, shot: Shot) -> np.ndarray:
        if not self._ready:
            torch.set_num_threads(self._threads)  # holds for the thread that calls it
            self._ready = True
        return self.person.paint(shot.value)

    def run(self) -> None:
        """Show pictures until the source ends, the window is closed or the time is over.

        Raises:
            InputError: the camera was lost for too long, or what a stage refuses.
        """
        try:
            blank = Shot(np.full((*BLANK, 3), 127, np.uint8), time.perf_counter())
            if self.chain.warm_up(blank, ended=lambda: self._wait('getting ready') == 'end'):
                self.chain.start()
                self._show()
        finally:
            self.chain.stop()
        if self.chain.failure:
            raise self.chain.failure

    def _wait(self, words: str) -> str | None:
        """The key that was pressed while there is no new picture; the words are shown where there was none yet."""
        return self.sink.wait(written(np.full((LEAST_HEIGHT, LEAST_HEIGHT, 3), 90, np.uint8), words))

    def _show(self) -> None:
        """Show what comes out, until it is to end."""
        last, told, started = None, False, time.perf_counter()
        while self.seconds is None or time.perf_counter() - started < self.seconds:
            shot = self.chain.out.get(timeout=LOOK)
            if shot is not None:
                if told:
                    self.say('frames come again')
                last, told = shot, False
                begun, worked = time.perf_counter(), time.thread_time()
                key = self.sink.show(self.view.compose(shot, self.timing.line()))
                shot.spans['show'], shot.work['show'] = (begun, time.perf_counter()), time.thread_time() - worked
                self.timing.add(shot)
            elif self.chain.out.ended:
                break
            else:
                quiet = time.perf_counter() - self.chain.newest
                if self.patience is not None and quiet > max(self.patience, STALL):
                    raise InputError(f'no frame has come for {quiet:.0f} s: does the camera still send? Wait longer with --patience')
                if quiet > STALL and not told:
                    self.say(f'no frame has come for {STALL:.0f} s; waiting')
                    told = True
                if quiet > STALL and last is not None:
                    key = self.sink.show(self.view.compose(last, f'no frame for {quiet:.0f} s'))
                else:
                    key = self._wait('waiting for the first frame')
            if key == 'end':
                break
            if key == 'again':
                self._anew.set()  # the thread that moves poses does it, between two frames

    def summary(self) -> str:
        """What it cost, in one line."""
        report = self.timing.report(self.chain)
        if not report['latency_ms']:
            return 'no picture was shown'
        stages = ', '.join(f'{name} {values["median"]:.0f}' for name, values in report['stages_ms'].items()
                           if not name.startswith('wait') and name != 'capture')
        waits = sum(values['median'] for name, values in report['stages_ms'].items() if name.startswith('wait'))
        return (f'{report["frames"]["shown"]} pictures in {report["seconds"]:.0f} s, {report["fps"]:.1f} a second; latency '
                f'{report["latency_ms"]["median"]:.0f} ms (95%: {report["latency_ms"]["p95"]:.0f} ms): {stages}, waiting {waits:.0f}')
