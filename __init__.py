"""Entry for ComfyUI when this checkout lies, or is linked, in custom_nodes; nothing heavy is imported until it asks."""

WEB_DIRECTORY = "./motionrag_nodes/web"

__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]


def _make_packages_importable() -> None:
    """Puts this folder last on sys.path, to shadow none of ComfyUI's names, unless the packages are installed."""
    import importlib.util
    import sys
    from pathlib import Path

    if importlib.util.find_spec("motionrag_nodes") is None:
        sys.path.append(str(Path(__file__).resolve().parent))
        importlib.invalidate_caches()


async def comfy_entrypoint() -> object:
    """Gives ComfyUI the extension with all nodes."""
    import logging
    from pathlib import Path

    folder = Path(__file__).resolve().parent
    _make_packages_importable()
    try:
        from motionrag_nodes.nodes.extension import MotionRAGExtension
    except ImportError:
        # ComfyUI logs one line of what fails here; the traceback tells which package is missing.
        logging.getLogger(__name__).exception(
            "MotionRAG's nodes could not be loaded; install its packages: pip install -e %s", folder
        )
        raise
    return MotionRAGExtension()
