"""Named errors of the stages: each message says what was expected, what came, and what to do."""

from index_builder.errors import MotionRAGError


class BackboneUnknown(MotionRAGError):
    """There is no backbone of this name."""


class ShapeMismatch(MotionRAGError):
    """A tensor's shape does not fit the module or product that it was given to."""


class TooManyNeighbours(MotionRAGError):
    """More clips were given than the context transformer has positions for."""


class AdapterMismatch(MotionRAGError):
    """An adapter's sites or widths do not fit the model that it should be attached to."""


class AdapterBypassed(MotionRAGError):
    """The model ran, but its attention did not pass through the adapter: a silent no-op made loud."""


class SamplerUnsupported(MotionRAGError):
    """A sampler does not tell which step or which branch of guidance it computes."""


class CompiledModel(MotionRAGError):
    """A model was compiled, so that nothing can be added inside it."""


class BlockWeightsInvalid(MotionRAGError):
    """A text of block weights cannot be read, or names blocks that the model does not have."""


class UnsupportedProcessor(MotionRAGError):
    """An attention site has a processor whose inside is unknown here."""


class PackNotFound(MotionRAGError):
    """No pack of this name or at this folder."""


class PackInvalid(MotionRAGError):
    """A pack's pack.json or files are damaged, incomplete or contradict each other."""


class PackTooNew(PackInvalid):
    """The pack was written by a later format version than this program reads."""


class CalibrationInvalid(MotionRAGError):
    """A database's clips do not tell how a pack's adapted tokens are to be calibrated."""


class CheckpointInvalid(MotionRAGError):
    """A published checkpoint's keys or shapes are not the expected ones."""


class CheckpointRefused(MotionRAGError):
    """A checkpoint holds something other than tensors and was not opened."""


class HubUnreachable(MotionRAGError):
    """The Hugging Face hub gave no answer, or may not be asked."""


class HubRefused(MotionRAGError):
    """The hub has not what was asked for, or not for everyone; or there is no room for it."""


class DownloadDamaged(MotionRAGError):
    """What was downloaded is not what the hub says it is."""


class VideoModelNotFound(MotionRAGError):
    """The base video model is in no local folder and not in the hub cache."""


class GenerationSettingInvalid(MotionRAGError):
    """A generation setting lies outside what the video model can do."""


class MotionMismatch(MotionRAGError):
    """Motion tokens, neighbours, pack and video model do not belong together."""


class VideoModelIncomplete(MotionRAGError):
    """A file of a video model lacks weights."""


class PrecisionUnsupported(MotionRAGError):
    """A device cannot compute in the precision that was asked for."""


class GenerationFailed(MotionRAGError):
    """The video model computed something that is no picture."""


class GenerationInterrupted(MotionRAGError):
    """The caller asked to stop; nothing was produced and what was held is released."""


class NeighboursNotFound(MotionRAGError):
    """No clip of the database qualifies as a neighbour."""


class NeighbourClipMissing(MotionRAGError):
    """A neighbour's video is gone, may not be read, or is not what was indexed."""
