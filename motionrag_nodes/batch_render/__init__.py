"""Renders saved ComfyUI workflows unattended: workflows and job tables in, videos and a manifest out."""
