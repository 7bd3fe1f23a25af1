"""People in clothes that move in rooms, rendered on the CPU, with the truth about them.

=============== ============================================================================================
module          what it does
=============== ============================================================================================
actions         :class:`SyntheticActions`: what to render, frame by frame or into prepared clips
actors          size, build, skin, hair and clothes of each actor
choreography    the keyframes of the actions and the motion between them
skeleton        joints in the room from the angles of a choreography
camera          perspective, blur and sensor noise
room            wall, floor, furniture
canvas          how a layer goes on top of others: color, coverage, part labels, contact shadows
body            tubes (limbs) and slabs (trunk)
clothes         cloth: patterns, folds, prints
face, hair      pictures of the surface of a head
head, hands     the head at any angle; open and closed hands
renderer        one frame of one actor: the order of painting
=============== ============================================================================================
"""

from toolkit.synthetic.actions import SyntheticActions
from toolkit.synthetic.renderer import Rendered

__all__ = ['Rendered', 'SyntheticActions']
