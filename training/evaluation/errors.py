"""Named errors of the evaluation: each message says what was expected, what came, and what to do."""

from index_builder.errors import MotionRAGError


class EvaluationInvalid(MotionRAGError):
    """What should be evaluated cannot be: too few clips, unknown rows, folders that do not match."""
