"""ComfyUI nodes: a schema and a few lines each around one stage's function.

With the backbones' native.py only this folder imports ComfyUI.
"""
