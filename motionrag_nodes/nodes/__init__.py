"""ComfyUI nodes: a schema and a few lines each around one stage's function. Only this folder imports ComfyUI."""
