"""Human Video Toolkit: make a person in a video move, and dress, as you wish."""

__version__ = '0.1.0'
