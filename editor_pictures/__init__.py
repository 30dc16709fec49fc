"""Pictures of ComfyUI's real editor for the help pages, the templates and the README; also drives it for the tests."""
