"""The window of a live run reacts to keys and to its button all the time, also while there is nothing to show."""

import threading

import cv2
import numpy as np

from tests.live.test_run import Kept, frames_of, run, still_person
from tests.stick_people import StubPose
from toolkit.live import sinks
from toolkit.live.run import Live
from toolkit.live.sinks import Window


class Closed(Kept):
    """A window that is closed while nothing new is there, after some pictures."""

    def __init__(self, after=0):
        super().__init__()
        self.after, self.go_on = after, threading.Event()

    def wait(self, picture):
        if len(self.pictures) >= self.after:
            self.go_on.set()
            return 'end'


def test_the_window_ends_the_run_before_anything_was_painted():
    sink = Closed()
    live = Live(frames_of(1000), StubPose(), still_person(), sink)
    live.person.paint = lambda given: sink.go_on.wait(60)
    live.run()
    assert sink.go_on.is_set() and not live.chain.captured, 'networks are still loaded'
    sink = Closed()
    assert not run(lambda take: sink.go_on.wait(60), sink).timing.shown and sink.go_on.is_set(), 'the camera gives nothing'


def test_keys_are_heard_between_two_pictures():
    sink = Closed(after=1)

    def source(take):
        frames_of(1)(take)
        sink.go_on.wait(60)

    assert run(source, sink).timing.shown == 1 and sink.go_on.is_set()


def test_the_body_is_measured_anew_by_the_thread_that_measures_it():
    live, begun = Live(frames_of(1000), StubPose(), still_person(), Kept(None, 'again', None, None, None, 'end')), []
    begin = live.mover.begin
    live.mover.begin = lambda: (begun.append(threading.current_thread().name), begin())
    live.run()
    assert begun == ['retarget'] * 3, 'for the first gray picture, for frames of another size, and because it was asked for'


class Screen:
    """OpenCV's windows, as far as one is used."""

    WINDOW_NORMAL = WINDOW_KEEPRATIO = WND_PROP_VISIBLE = 0
    error, cvtColor, COLOR_RGB2BGR = cv2.error, staticmethod(cv2.cvtColor), cv2.COLOR_RGB2BGR

    def __init__(self):
        self.windows, self.shown, self.key = [], [], -1

    def namedWindow(self, name, kind):
        self.windows.append(name)

    def destroyWindow(self, name):
        if name not in self.windows:
            raise cv2.error('there is no such window')
        self.windows.remove(name)

    def resizeWindow(self, name, width, height):
        assert name in self.windows

    def imshow(self, name, picture):
        self.shown.append(int(picture[0, 0, 0]))

    def waitKey(self, milliseconds):
        key, self.key = self.key, -1
        return key

    def getWindowProperty(self, name, which):
        return float(name in self.windows)


def test_a_window_that_is_open_reacts_all_the_time(monkeypatch):
    screen, (gray, picture) = Screen(), (np.full((32, 32, 3), value, np.uint8) for value in (90, 7))
    monkeypatch.setattr(sinks, 'cv2', screen)
    monkeypatch.setenv('DISPLAY', ':0')
    window = Window()
    assert not screen.windows, 'loading a model takes long, and nothing could be pressed'
    assert window.wait(gray) is None and screen.windows == ['live'] and screen.shown == [90]
    screen.key = ord('q')
    assert window.wait(gray) == 'end'
    assert window.show(picture) is None and window.wait(gray) is None and screen.shown[-1] == 7, 'what was painted stays'
    screen.key = ord('r')
    assert window.wait(gray) == 'again'
    screen.windows.clear()
    assert window.wait(gray) == 'end'
    window.close()
