"""Which device encodes: what the user names, or the accelerator of this machine where there is one."""

from __future__ import annotations

from index_builder.errors import InvalidSetting

AUTO = "auto"


def chosen_device(asked: str) -> str:
    """For "auto" cuda, mps or cpu, in this order; another name as it is. Raises InvalidSetting for what is absent."""
    import torch

    accelerators = [f"cuda:{number}" for number in range(torch.cuda.device_count() if torch.cuda.is_available() else 0)]
    accelerators += ["mps"] if torch.backends.mps.is_available() else []
    if asked == AUTO:
        return accelerators[0] if accelerators else "cpu"
    there = ["cpu", *accelerators, *(["cuda"] if torch.cuda.is_available() else [])]
    if asked not in there:
        raise InvalidSetting(
            f"Expected --device auto or one of {', '.join(there)}, received {asked}, which this machine does not have"
            ": leave it out."
        )
    return asked
