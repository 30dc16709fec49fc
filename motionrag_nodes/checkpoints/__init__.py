"""Motion packs: folders of safetensors files and one pack.json; and the conversion of published checkpoints."""
