"""One actor before the camera: the order in which background, body, clothes and head are painted."""

import math
from typing import NamedTuple

import cv2
import numpy as np

from toolkit import skeletons as sk
from toolkit.synthetic.actors import Actor
from toolkit.synthetic.body import Opening, Profile, Tube, slab
from toolkit.synthetic.camera import Camera
from toolkit.synthetic.canvas import Canvas
from toolkit.synthetic.clothes import plain, shirt_cloth, sleeve_cloth, strands, trouser_cloth
from toolkit.synthetic.hands import Hands
from toolkit.synthetic.head import HEAD_LABEL, Head
from toolkit.synthetic.room import paint_room
from toolkit.synthetic.skeleton import Skeleton, build_skeleton
from toolkit.synthetic.variety import View

VERSION = 1
"""Raised whenever pictures change."""
SIDES = ('right', 'left')
LABELS = {name: i + 1 for i, name in enumerate(sk.PARTS)}
ARM = Profile((0, .25, .6, 1, 1.2, 1.6, 2), (.054, .053, .048, .042, .045, .036, .028))
SLEEVE = Profile((0, .1, .24, .6, 1, 1.25, 1.6, 2), (.043, .051, .057, .055, .049, .051, .044, .038))
SHORT_SLEEVE = (1, 1, 1.02, 1.08, 1.2, 1.2, 1.2, 1.2)
LEG = Profile((0, .3, .7, 1, 1.15, 1.35, 1.7, 2), (.076, .082, .067, .056, .053, .058, .046, .037))
TROUSER = Profile((0, .3, .7, 1, 1.2, 1.5, 1.9, 2), (.082, .088, .077, .067, .064, .062, .056, .056))
SHORTS = (1, 1.02, 1.12, 1.2, 1.2, 1.2, 1.2, 1.2)
PELVIS = Profile((-.14, -.01, .11, .2), (.118, .152, .158, .145))
TORSO = Profile((-.0836, .002, .1255, .3537, .5723, .7624, .8859, .950, .985, 1.012, 1.04, 1.07, 1.10, 1.12),
                (.186, .184, .175, .155, .163, .176, .183, .185, .183, .167, .138, .108, .082, .066))
TORSO_FEMALE = (1.01, 1.0, .98, .93, .95, .95, .94, .93, .93, .93, .93, .94, .95, .95)
NECK = Profile((0, .25, .55, 1), (.062, .060, .051, .050))
LIGHT_SHIRT = 540
LOCK = Profile((0, .6, 1, 1.6, 2), (.020, .026, .027, .020, .007))
DEPTH = .62
"""Thickness of the trunk from front to back, share of its width."""


class Rendered(NamedTuple):
    """A frame and its truth: frame (H, W, 3) uint8 RGB; pose (18, 3) float32; mask (H, W) float32; parts (H, W) uint8."""

    frame: np.ndarray
    pose: np.ndarray
    mask: np.ndarray
    parts: np.ndarray


def _ramp(value: float, low: float, high: float) -> float:
    """Smooth step from 0 at ``low`` to 1 at ``high``."""
    u = min(max((value - low) / (high - low), 0.0), 1.0)
    return u * u * (3 - 2 * u)


class Renderer:
    """Renders one actor in one room. Everything random is drawn here; :meth:`render` depends on its arguments only.

    Args:
        actor: who is filmed.
        height: rows of a frame.
        width: columns of a frame.
        seed: of the room and the sensor noise.
        room: see :func:`toolkit.synthetic.room.paint_room`.
        view: camera, light and colors of the room.
    """

    def __init__(self, actor: Actor, height: int, width: int, seed: int = 0, room: str = 'furnished',
                 view: View | None = None) -> None:
        self.actor = actor
        self.view = view = view or View()
        self.camera = Camera(height, width, (seed, actor.index), view.zoom, view.shift)
        unit = self.camera.unit
        self.background = paint_room(self.camera, actor.index, seed, sum(actor.shirt) > LIGHT_SHIRT, room, view.wall, view.floor)
        self.head, self.hands = Head(actor, unit), Hands(actor, unit)
        self.shirt, self.sleeve, self.trousers = shirt_cloth(actor, unit), sleeve_cloth(actor, unit), trouser_cloth(actor, unit)
        random = actor.generator(6)
        self.skin = plain(actor.skin, random, unit)
        self.shoes, self.hair = plain(actor.shoes, random, unit, .01), strands(actor.hair, random, unit)
        self.sole = plain((205,) * 3 if sum(actor.shoes) < 400 else (150,) * 3, random, unit, .01)
        self.collar_color = self.sleeve.tile.mean((0, 1))
        self.lining = tuple(.5 * c for c in actor.shirt)
        self._fit()

    def _fit(self) -> None:
        """Profiles in the size of the actor."""
        actor = self.actor
        girth = actor.girth * actor.limbs
        arm_girth = girth * (.9 if actor.female else 1.0)
        self.arm_profile = ARM.scaled(arm_girth)
        self.sleeve_profile = SLEEVE.scaled(arm_girth)
        if actor.sleeve < 1:
            self.sleeve_profile = self.sleeve_profile.scaled(SHORT_SLEEVE)
        self.leg_profile = LEG.scaled(girth)
        self.trouser_profile = TROUSER.scaled(girth)
        if actor.shorts:
            self.trouser_profile = self.trouser_profile.scaled(SHORTS)
        self.pelvis_profile = PELVIS.scaled(girth)
        self.torso_profile = TORSO.scaled((.35 + .65 * actor.girth) * actor.stature)
        if actor.female:
            self.torso_profile = self.torso_profile.scaled(TORSO_FEMALE)
        self.neck_profile = NECK.scaled((.5 + .5 * actor.girth) * actor.stature * (.9 if actor.female else 1.0))

    def render(self, parameters: dict[str, np.ndarray], key: tuple[int, ...]) -> Rendered:
        """Render a frame.

        Args:
            parameters: of the pose, from :func:`toolkit.synthetic.choreography.parameters`.
            key: whole numbers that name the frame; they choose its sensor noise.
        """
        body = build_skeleton(self.actor, parameters)
        canvas = Canvas(self.background, self.camera.unit, self.view.light)
        points, fist = body.points, float(parameters['fist'])
        self._floor_shadow(canvas, body)
        behind = {side: self._behind(body, side) for side in SIDES}
        for side in sorted(SIDES, key=lambda s: points[f'{s}_wrist'][2]):
            if behind[side] > 0:
                self._arm(canvas, body, side, fist, 1.0)
        x, y, scale = self.camera.project(points['head'])
        self.head.paint_back(canvas, body, (x, y), scale)
        for side in sorted(SIDES, key=lambda s: points[f'{s}_knee'][2]):
            self._leg(canvas, body, side)
        raised = {side: _ramp(float(points[f'{side}_knee'][2] - points[f'{side}_hip'][2]), .08, .20) for side in SIDES}
        self._trunk(canvas, body, raised)
        for side in sorted(SIDES, key=lambda s: points[f'{s}_knee'][2]):
            if raised[side] > 0:
                self._thigh(canvas, body, side, raised[side])
        if self.head.style.locks:
            self._locks(canvas, body)
        self.head.paint(canvas, body, (x, y), scale)
        for side in sorted(SIDES, key=lambda s: points[f'{s}_wrist'][2]):
            if behind[side] < 1:
                self._arm(canvas, body, side, fist, 1 - behind[side])
        frame = self.camera.develop(canvas.color, key)
        return Rendered(frame, self._pose(body), canvas.coverage, canvas.parts)

    def pose(self, parameters: dict[str, np.ndarray]) -> np.ndarray:
        """The pose of :meth:`render` alone, (18, 3) float32."""
        return self._pose(build_skeleton(self.actor, parameters))

    def _pose(self, body: Skeleton) -> np.ndarray:
        pose = np.array([(*self.camera.project(joint)[:2], 1) for joint in body.joints()], np.float32)
        x, y = pose[:, 0], pose[:, 1]
        inside = (x >= -.5) & (x < self.camera.width - .5) & (y >= -.5) & (y < self.camera.height - .5)
        pose[~inside] = 0
        return pose

    @staticmethod
    def _behind(body: Skeleton, side: str) -> float:
        """1 where an arm belongs behind the trunk, 0 where before it."""
        points = body.points
        forearm = (points[f'{side}_wrist'] + points[f'{side}_elbow']) / 2
        return _ramp(float(points['pelvis'][2] - forearm[2]), .062, .088)

    def _floor_shadow(self, canvas: Canvas, body: Skeleton) -> None:
        """Soft shadows under the feet, which fade as a foot leaves the floor, and of the body to the right."""
        unit, project = self.camera.unit, self.camera.project
        top = max(int(300 * unit + self.camera.shift[1]), 0)
        height, width = canvas.height - top, canvas.width
        if height < 4:
            return
        half = np.zeros(((height + 1) // 2, (width + 1) // 2), np.float32)
        fine = 16

        def spot(x: float, z: float) -> tuple[int, int]:
            px, py, _ = project(np.array([x, 0.0, z]))
            return round(px / 2 * fine), round((py - top) / 2 * fine)

        def axes(rx: float, ry: float) -> tuple[int, int]:
            return max(round(rx * unit * fine), fine), max(round(ry * unit * fine), fine)

        for side in SIDES:
            ax, ay, az = body.points[f'{side}_ankle'].tolist()
            dark = .55 * math.exp(-6 * max(ay - .08, 0))
            cv2.ellipse(half, spot(ax, az + .04), axes(11, 3.2), 0, 0, 360, dark, -1, shift=4)
            cv2.line(half, spot(ax, az + .04), spot(ax + .16, az - .25), .22, max(int(9 * unit), 1), shift=4)
        pelvis = body.points['pelvis'].tolist()
        cv2.ellipse(half, spot(pelvis[0] + .28, -.5), axes(24, 6), 0, 0, 360, .2, -1, shift=4)
        size = int(9 * unit) | 1, int(5 * unit) | 1
        light = 1 - cv2.resize(cv2.blur(cv2.blur(half, size), size), (width, height))
        floor = canvas.color[top:]
        cv2.multiply(floor, cv2.merge((light, light, light)), dst=floor)

    def _arm(self, canvas: Canvas, body: Skeleton, side: str, fist: float, opacity: float) -> None:
        points, camera = body.points, self.camera
        labels = LABELS[f'{side}_upper_arm'], LABELS[f'{side}_lower_arm']
        shoulder, elbow, wrist, hand = (points[f'{side}_{name}'] for name in ('shoulder', 'elbow', 'wrist', 'hand'))
        towards = _ramp(float(hand[2] - wrist[2]) / self.actor.height, .035, .07)
        if towards < 1:
            self.hands.paint(canvas, camera, wrist, hand, side == 'left', fist, labels[1], opacity)
        tube = Tube(canvas, camera, [shoulder, elbow, wrist], max(self.sleeve_profile.size))
        sleeve = self.actor.sleeve
        if sleeve < 1.85:
            tube.layer(self.arm_profile, self.skin, labels, start=sleeve - .15, stop=2.02, wrist=True, opacity=opacity)
        tube.layer(self.sleeve_profile, self.sleeve, labels, stop=min(sleeve, 1.98), shoulder=True, opacity=opacity, offset=40)
        if towards > 0:
            self.hands.paint(canvas, camera, wrist, hand, side == 'left', fist, labels[1], opacity * towards)

    def _leg(self, canvas: Canvas, body: Skeleton, side: str) -> None:
        points, h = body.points, self.actor.stature
        labels = LABELS[f'{side}_upper_leg'], LABELS[f'{side}_lower_leg']
        ankle, toe = points[f'{side}_ankle'], points[f'{side}_toe']
        heading = toe - ankle
        heading[1] = 0
        heel = ankle + np.array([0, -.045 * h, 0]) - heading * (.02 / max(float(np.linalg.norm(heading)), 1e-6))
        sole = Tube(canvas, self.camera, [heel + np.array([0, -.012, 0]), toe + np.array([0, -.016, 0])], .05 * h)
        sole.layer(Profile((0, .5, 1), (.044 * h, .05 * h, .05 * h)), self.sole, labels[1:])
        instep = heel * .45 + toe * .55 + np.array([0, .018, 0])
        shoe = Tube(canvas, self.camera, [ankle + np.array([0, -.02, 0]), instep, toe], .047 * h)
        shoe.layer(Profile((0, 1, 2), (.042 * h, .047 * h, .046 * h)), self.shoes, labels[1:], contact=.1)
        self._trouser_leg(canvas, body, side)

    def _trouser_leg(self, canvas: Canvas, body: Skeleton, side: str, reveal: float | None = None) -> None:
        bones = [body.points[f'{side}_{name}'] for name in ('hip', 'knee', 'ankle')]
        labels = LABELS[f'{side}_upper_leg'], LABELS[f'{side}_lower_leg']
        tube = Tube(canvas, self.camera, bones, max(self.trouser_profile.size))
        shorts = self.actor.shorts
        if shorts:
            tube.layer(self.leg_profile, self.skin, labels, start=.6, reveal=reveal)
        tube.layer(self.trouser_profile, self.trousers, labels, stop=.82 if shorts else 1.99, reveal=reveal,
                   offset=20 if side == 'right' else 90)

    def _thigh(self, canvas: Canvas, body: Skeleton, side: str, raised: float) -> None:
        """A thigh that comes forward, over the shirt: from the knee backwards as it rises."""
        self._trouser_leg(canvas, body, side, reveal=.75 - .78 * raised)

    def _trunk(self, canvas: Canvas, body: Skeleton, raised: dict[str, float]) -> None:
        points, actor, h = body.points, self.actor, self.actor.stature
        pelvis, top = points['pelvis'], points['chest_top']
        cos = abs(float(body.left[0]))
        width = math.sqrt(cos * cos + DEPTH * DEPTH * (1 - cos * cos))
        twist = math.atan2(-DEPTH * float(body.left[2]), max(cos, 1e-3))
        slab(canvas, self.camera, pelvis, top, self.pelvis_profile, self.trousers, LABELS['torso'], width, contact=0, hem=0)
        dip, reach, power = {'crew': (.024, .060, 2.0), 'v': (.105, .060, 1.0), 'collar': (.085, .058, 1.0)}[actor.neckline]
        opening = Opening(top + body.up * (.036 * h), body.left * (.064 * h), body.forward * (reach * h) - body.up * (dip * h), power,
                          0.0 if actor.neckline == 'collar' else .011)
        self._lining(canvas, opening)
        neck_end = top * .35 + points['head'] * .65
        Tube(canvas, self.camera, [top - body.up * (.045 * h), neck_end], max(self.neck_profile.size)).layer(
            self.neck_profile, self.skin, (HEAD_LABEL,), contact=.25)
        profile = self.torso_profile
        lift = .062 * (raised['right'] + raised['left'])
        profile = Profile((profile.at[0] + lift, max(profile.at[1], profile.at[0] + lift + .03), *profile.at[2:]), profile.size)
        slab(canvas, self.camera, pelvis, top, profile, self.shirt, LABELS['torso'], width, twist, stretch=.5 * h,
             opening=opening, shoulders=True)
        if actor.neckline == 'collar':
            self._collar(canvas, body, opening)

    def _locks(self, canvas: Canvas, body: Skeleton) -> None:
        """Long hair that falls over the shoulders."""
        points, h = body.points, self.actor.height
        for sign, side in ((-1, 'right'), (1, 'left')):
            ear, neck = points[f'{side}_ear'], points['chest_top']
            fall = neck + body.left * (sign * .046 * h) + body.forward * (.030 * h) + body.up * (.012 * h)
            end = neck + body.left * (sign * .056 * h) + body.forward * (.052 * h) - body.up * (.062 * h)
            lock = Tube(canvas, self.camera, [ear - body.up * (.02 * h), fall, end], max(LOCK.size))
            lock.layer(LOCK.scaled(self.actor.stature), self.hair, (HEAD_LABEL,), contact=.2)

    def _lining(self, canvas: Canvas, opening: Opening) -> None:
        """The inside of the shirt behind the neck."""
        x, y, scale = self.camera.project(opening.center)
        reach = float(np.linalg.norm(opening.side)) * scale + 2
        window = canvas.window(x - reach, y - reach, x + reach, y + reach)
        if window is None:
            return
        columns, rows = canvas.grid(window)
        half = reach - 2
        alpha = np.clip((1 - ((columns - x) / half)**2 - ((rows - y) / (.42 * half))**2) * (.25 * half) + .5, 0, 1)
        color = np.empty((*alpha.shape, 3), np.float32)
        color[:] = self.lining
        canvas.paint(window, color, alpha, LABELS['torso'], contact=0)

    def _collar(self, canvas: Canvas, body: Skeleton, opening: Opening) -> None:
        """Two flaps of a shirt collar, folded over the neckline."""
        h = self.actor.stature
        for sign in (-1, 1):
            facing = float(body.forward[2]) + .6 * sign * float(body.forward[0])
            if facing < .25:
                continue
            side, front, drop = opening.side * sign, opening.front, body.up * h
            corners = (side * .96 + drop * .010, side * .66 + front * .34 + drop * .002, front * .98,
                       front * .74 + side * .66 - drop * .040, side * 1.14 - drop * .010)
            outline = np.array([self.camera.project(opening.center + corner)[:2] for corner in corners])
            low, high = outline.min(0).tolist(), outline.max(0).tolist()
            window = canvas.window(low[0] - 2, low[1] - 2, high[0] + 2, high[1] + 2)
            if window is None:
                continue
            mask = np.zeros((window[3] - window[1], window[2] - window[0]), np.uint8)
            cv2.fillPoly(mask, [np.round((outline - window[:2]) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
            alpha = mask.astype(np.float32) / 255
            color = np.empty((*alpha.shape, 3), np.float32)
            color[:] = self.collar_color
            inner = cv2.blur(alpha, (3, 3))
            canvas.paint(window, color, alpha, LABELS['torso'], (.62 + .46 * inner) * (1.02 - .08 * sign), .5)
