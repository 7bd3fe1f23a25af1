"""The sixteen actions: keyframes, and the smooth motion between them."""

import math
import zlib

import numpy as np

REST = dict(
    right_upper_arm=(10, 4), right_forearm=(8, 62), left_upper_arm=(11, 0), left_forearm=(8, 56), right_foot=(-0.10, 0, 0),
    left_foot=(0.10, 0, 0), x=0, y=0, z=0, lean=0, bend=0, yaw=0, turn=0, head_yaw=0, head_pitch=0, head_roll=0, fist=0)
"""Standing at ease. Arms: degrees off straight down, degrees of swing from sideways to forward. Feet and pelvis shift: meters.

``lean`` sideways, ``bend`` forward, ``yaw`` of the upper body against the feet, ``turn`` of the whole body: degrees. ``fist``: 0 or 1.
"""
LAG = 0.012
"""Forearms follow the upper arms by this share of an action."""


def _both(upper: tuple, forearm: tuple, **more) -> dict:
    return dict(right_upper_arm=upper, left_upper_arm=upper, right_forearm=forearm, left_forearm=forearm, **more)


def _right(upper: tuple, forearm: tuple, **more) -> dict:
    return dict(right_upper_arm=upper, right_forearm=forearm, **more)


def _left(upper: tuple, forearm: tuple, **more) -> dict:
    return dict(left_upper_arm=upper, left_forearm=forearm, **more)


_GUARD = dict(**_both((25, 50), (140, 60)), fist=1, right_foot=(-0.13, 0, 0), left_foot=(0.13, 0, 0))
_AKIMBO = _both((42, 0), (50, 150))
_WIDE = dict(right_foot=(-0.3, 0, 0), left_foot=(0.3, 0, 0))
_STEP_RIGHT = dict(right_foot=(-0.1, 0.26, 0.2), left_upper_arm=(24, 75), left_forearm=(70, 80), right_upper_arm=(15, -50),
                   right_forearm=(24, 60))
_STEP_LEFT = dict(left_foot=(0.1, 0.26, 0.2), right_upper_arm=(24, 75), right_forearm=(70, 80), left_upper_arm=(15, -50),
                  left_forearm=(24, 60))
_SWING = dict(right_upper_arm=(28, 0), left_upper_arm=(28, 0), right_forearm=(34, 40), left_forearm=(34, 40))

ACTIONS: dict[str, list[tuple[float, dict]]] = {
    'wave_right': [
        (0, {}), (.2, _right((95, 15), (165, 0), head_roll=-4, turn=-8)), (.3, _right((98, 15), (200, 0), turn=-14)),
        (.4, _right((95, 15), (150, 0), head_roll=-3, turn=-18)), (.5, _right((98, 15), (200, 0), turn=-18)),
        (.6, _right((95, 15), (150, 0), head_roll=-4, turn=-16)), (.75, _right((97, 15), (195, 0), turn=-10)), (1, {})],
    'wave_both': [
        (0, {}), (.2, _both((110, 10), (165, 0))), (.35, _both((115, 10), (205, 0))), (.5, _both((108, 10), (150, 0))),
        (.65, _both((115, 10), (205, 0))), (.8, _both((108, 10), (155, 0))), (1, {})],
    'salute': [
        (0, {}), (.3, _right((82, 25), (218, 20), head_pitch=2, turn=22)), (.68, _right((82, 25), (218, 20), turn=22)), (1, {})],
    'arms_up': [
        (0, {}), (.3, _both((86, 5), (98, 14))), (.5, _both((162, 0), (176, 0), y=.012)), (.7, _both((86, 5), (98, 14))), (1, {})],
    'side_step': [
        (0, {}), (.2, dict(**_SWING, x=-.12, right_foot=(-.32, 0, 0), left_foot=(.10, 0, 0), head_yaw=-12)),
        (.28, dict(**_SWING, x=-.17, right_foot=(-.32, 0, 0), left_foot=(0, .05, 0))),
        (.38, dict(x=-.21, right_foot=(-.32, 0, 0), left_foot=(-.12, 0, 0))),
        (.5, dict(x=-.21, right_foot=(-.31, 0, 0), left_foot=(-.12, 0, 0))),
        (.62, dict(**_SWING, x=-.13, right_foot=(-.31, 0, 0), left_foot=(0, .05, 0), head_yaw=10)),
        (.72, dict(**_SWING, x=-.06, right_foot=(-.31, 0, 0), left_foot=(.10, 0, 0))),
        (.86, dict(x=0, right_foot=(-.2, .04, 0))), (1, {})],
    'squat': [
        (0, dict(right_foot=(-.17, 0, 0), left_foot=(.17, 0, 0))),
        (.47, _both((80, 78), (84, 85), y=-.34, z=-.16, bend=28, right_foot=(-.17, 0, 0), left_foot=(.17, 0, 0), turn=12)),
        (.53, _both((80, 78), (84, 85), y=-.34, z=-.16, bend=28, right_foot=(-.17, 0, 0), left_foot=(.17, 0, 0), turn=12)),
        (1, dict(right_foot=(-.17, 0, 0), left_foot=(.17, 0, 0)))],
    'jumping_jack': [
        (0, {}), (.12, _both((75, 8), (96, 20))), (.25, dict(**_both((142, 4), (172, 10)), **_WIDE, y=.02)),
        (.38, _both((75, 8), (96, 20))), (.5, {}), (.62, _both((75, 8), (96, 20))),
        (.75, dict(**_both((142, 4), (172, 10)), **_WIDE, y=.02)),
        (.88, _both((75, 8), (96, 20))), (1, {})],
    'march': [
        (0, {}), (.1, dict(_STEP_RIGHT, turn=12)), (.2, dict(turn=24)), (.3, dict(_STEP_LEFT, turn=32)), (.4, dict(turn=20)),
        (.5, dict(_STEP_RIGHT, turn=0)), (.6, dict(turn=-20)), (.7, dict(_STEP_LEFT, turn=-32)), (.8, dict(turn=-20)),
        (.9, dict(_STEP_RIGHT, turn=-8)), (1, {})],
    'side_bend': [
        (0, {}), (.25, _left((160, 0), (205, 0), lean=-21, right_upper_arm=(12, 0), head_roll=-6)), (.5, {}),
        (.75, _right((160, 0), (205, 0), lean=21, head_roll=6)), (1, {})],
    'punch': [
        (0, _GUARD), (.25, dict(_GUARD, **_right((85, 72), (88, 80)), yaw=14, turn=10)), (.5, dict(_GUARD, turn=0)),
        (.75, dict(_GUARD, **_left((85, 72), (88, 80)), yaw=-14, turn=-10)), (1, _GUARD)],
    'lunge': [
        (0, {}), (.14, dict(x=-.08, right_foot=(-.3, .05, .02))),
        (.3, dict(x=-.22, y=-.16, right_foot=(-.5, 0, .05), right_upper_arm=(30, 0), **_left((60, 0), (70, 0)))),
        (.42, dict(x=-.08, right_foot=(-.28, .04, .02))), (.5, {}), (.64, dict(x=.08, left_foot=(.3, .05, .02))),
        (.8, dict(x=.22, y=-.16, left_foot=(.5, 0, .05), left_upper_arm=(30, 0), **_right((60, 0), (70, 0)))),
        (.92, dict(x=.08, left_foot=(.28, .04, .02))), (1, {})],
    'clap': [
        (0, {}), (.2, _both((50, 20), (100, 60), turn=6)), (.35, _both((40, 52), (105, 122), turn=10)),
        (.5, _both((50, 20), (100, 60), turn=0)),
        (.65, _both((40, 52), (105, 122), turn=-10)), (.8, _both((50, 20), (100, 60), turn=-6)), (1, {})],
    'hip_twist': [
        (0, _AKIMBO), (.22, dict(_AKIMBO, yaw=24, turn=36, head_yaw=4)), (.5, _AKIMBO),
        (.78, dict(_AKIMBO, yaw=-24, turn=-36, head_yaw=-4)), (1, _AKIMBO)],
    'point_left': [
        (0, {}), (.14, dict(left_foot=(.11, .05, 0), turn=14)), (.28, _left((80, 30), (84, 30), turn=28)),
        (.4, _left((88, 32), (90, 30), turn=34, head_yaw=6)), (.66, _left((88, 32), (90, 30), turn=34, head_yaw=6)),
        (.86, dict(left_foot=(.11, .05, 0), turn=12)), (1, {})],
    'kick': [
        (0, {}), (.25, _left((60, 0), (70, 0), right_foot=(-.45, .32, .1), lean=6, right_upper_arm=(40, 0))), (.5, {}),
        (.75, _right((60, 0), (70, 0), left_foot=(.45, .32, .1), lean=-6, left_upper_arm=(40, 0))), (1, {})],
    'bow': [
        (0, {}), (.1, dict(left_foot=(.10, .05, .02), turn=16)), (.2, dict(turn=36)),
        (.45, dict(turn=36, bend=34, head_pitch=8, z=-.05)),
        (.58, dict(turn=36, bend=34, head_pitch=8, z=-.05)), (.8, dict(turn=36)),
        (.9, dict(left_foot=(.10, .05, .02), turn=16)), (1, {})],
}
"""Name -> (phase in 0..1, changes from :data:`REST`); what a keyframe does not name is at rest."""
ACTION_NAMES = tuple(ACTIONS)


def _curve(times: np.ndarray, values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Monotone cubic through keyframes (Fritsch and Carlson 1980), flat at both ends; times (N,), values (N,), at (M,) -> (M,)."""
    step = np.diff(times)
    slope = np.diff(values) / step
    tangent = np.zeros_like(values)
    for i in range(1, len(values) - 1):
        a, b = slope[i - 1], slope[i]
        if a * b > 0:
            wa, wb = 2 * step[i] + step[i - 1], step[i] + 2 * step[i - 1]
            tangent[i] = (wa + wb) / (wa / a + wb / b)
    i = np.clip(np.searchsorted(times, at, side='right') - 1, 0, len(step) - 1)
    u = np.clip((at - times[i]) / step[i], 0, 1)
    h = step[i]
    return ((1 + 2 * u) * (1 - u)**2 * values[i] + u * (1 - u)**2 * h * tangent[i] + u * u * (3 - 2 * u) * values[i + 1]
            + u * u * (u - 1) * h * tangent[i + 1])


def _life(name: str, phase: np.ndarray) -> dict[str, np.ndarray]:
    """Breathing and swaying, small and smooth; differs between actions and is the same for all actors."""
    start = zlib.crc32(name.encode()) % 6283 / 1000

    def wave(cycles: float, offset: float) -> np.ndarray:
        return np.sin(2 * math.pi * cycles * phase + start + offset)

    breath = wave(1.3, 0.0)
    return dict(
        breath=breath, x=.006 * wave(.7, 1.0) + .002 * wave(2.3, 2.0), z=.004 * wave(.9, 0.3), y=.0012 * breath,
        lean=.6 * wave(.7, 1.2), yaw=1.2 * wave(.8, 4.0), head_yaw=2.5 * wave(.6, 2.5) + .6 * wave(1.9, .4),
        head_pitch=1.5 * wave(.9, 5.0), head_roll=.8 * wave(.5, .8),
        right_upper_arm=(.8 * wave(1.3, -.5), 3 * wave(.7, 0)), left_upper_arm=(.8 * wave(1.3, -.7), 3 * wave(.8, 1.5)),
        right_forearm=(1.2 * wave(1.3, -.9), 0), left_forearm=(1.2 * wave(1.3, -1.1), 0))


def parameters(name: str, frames: int) -> list[dict[str, np.ndarray]]:
    """Parameters of every frame of an action.

    Args:
        name: one of :data:`ACTION_NAMES`.
        frames: length; the whole action is played in it, whatever it is.

    Returns:
        For each frame a dict of the names of :data:`REST` and ``breath``; float64 arrays of the shapes there.
    """
    keys = ACTIONS[name]
    times = np.array([time for time, _ in keys], float)
    phase = np.arange(frames) / max(frames - 1, 1)
    life = _life(name, phase)
    tracks = {}
    for part, rest in REST.items():
        values = np.array([np.atleast_1d(np.array(change.get(part, rest), float)) for _, change in keys])
        late = np.clip(phase - (LAG if part.endswith('forearm') else 0), 0, 1)
        track = np.stack([_curve(times, column, late) for column in values.T], 1)
        if part in life:
            extra = life[part] if isinstance(life[part], tuple) else (life[part],)
            track = track + np.stack([np.broadcast_to(e, phase.shape) for e in extra], 1)
        tracks[part] = track if np.ndim(rest) else track[:, 0]
    tracks['breath'] = life['breath']
    return [{part: track[i] for part, track in tracks.items()} for i in range(frames)]
