"""The frozen models below MotionRAG: codec, retrieval, motion and appearance encoder, each with its own lesson."""
