"""Nodes for ComfyUI: load a person, a driving video and clothes, and get frames. Link this folder into ComfyUI/custom_nodes."""

from comfyui_human.nodes import NODE_CLASS_MAPPINGS, NODE_DISPLAY_NAME_MAPPINGS

__all__ = ['NODE_CLASS_MAPPINGS', 'NODE_DISPLAY_NAME_MAPPINGS']
