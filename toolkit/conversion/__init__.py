"""Weights of the authors' own codes, made files of this toolkit: one file a code.

A code's file has a function ``layout`` that finds out, of the keys and shapes of a checkpoint, which network it is and how it is built
here, and names for each layer here the layer there (:class:`toolkit.conversion.layout.Layout`). Where a part of the toolkit reads
published files itself (pose estimators and the like), its reader is used. Orders are never guessed: a layer is found by its name there.
"""
