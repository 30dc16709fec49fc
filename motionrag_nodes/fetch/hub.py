"""The Hugging Face hub as `fetch` uses it: facts of a repository, and where its files lie on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motionrag_nodes.errors import HubRefused, HubUnreachable


@dataclass(frozen=True)
class Hub:
    """Where to ask and where to keep files: None for what huggingface_hub is set to (HF_ENDPOINT, HF_HUB_CACHE)."""

    endpoint: str | None = None
    cache: Path | None = None

    @property
    def cache_folder(self) -> Path:
        """The hub cache that is used."""
        from huggingface_hub import constants

        return self.cache or Path(constants.HF_HUB_CACHE)

    def cached_file(self, repo: str, name: str, revision: str) -> Path | None:
        """Where a file of a commit lies, None where it is not on this machine."""
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(repo, name, cache_dir=self.cache_folder, revision=revision)
        return Path(found) if isinstance(found, str) else None

    def snapshot(self, repo: str, revision: str) -> Path:
        """The folder of a commit in the cache."""
        return self.cache_folder / f"models--{repo.replace('/', '--')}" / "snapshots" / revision

    def repository(self, repo: str, revision: str | None) -> Any:
        """huggingface_hub's ModelInfo with sizes and hashes of files; revision None for the newest commit.

        Raises HubUnreachable: there is no connection, or HF_HUB_OFFLINE forbids one. HubRefused: no such repository or
        commit, or it may not be seen.
        """
        from huggingface_hub import HfApi

        with asking(repo):
            return HfApi(endpoint=self.endpoint).model_info(repo, revision=revision, files_metadata=True)

    def require_access(self, repo: str) -> None:
        """Raises HubRefused where the repository's terms have to be accepted first, and HubUnreachable."""
        from huggingface_hub import HfApi

        with asking(repo):
            HfApi(endpoint=self.endpoint).auth_check(repo)


@contextmanager
def asking(repo: str) -> Iterator[None]:
    """huggingface_hub's many errors as two, each with what to do."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise HubRefused(
            f"Expected leave to read {repo}, but its authors ask everyone to accept their terms first: open "
            f"https://huggingface.co/{repo} with your account and agree, run `hf auth login` once, then run this again."
        ) from error
    except RevisionNotFoundError as error:
        raise HubRefused(
            f"Expected the pinned commit of {repo} on the hub, found none: its history was rewritten. Take what is "
            "there now with --latest."
        ) from error
    except RepositoryNotFoundError as error:
        raise HubRefused(
            f"Expected the repository {repo} on the hub, found none that you may see: it was moved or made private, or "
            "your login is out of date (`hf auth login`)."
        ) from error
    except OfflineModeIsEnabled as error:
        raise HubUnreachable(
            f"Expected to ask the hub for {repo}, but HF_HUB_OFFLINE forbids it: unset it and run this again."
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise _unreachable(repo, error) from error
    except Exception as error:
        # The library's HTTP client changed twice; its errors have no common ancestor over the versions.
        if type(error).__module__.split(".")[0] not in ("httpx", "httpx2", "httpcore", "requests", "urllib3"):
            raise
        raise _unreachable(repo, error) from error


def _unreachable(repo: str, error: Exception) -> HubUnreachable:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return HubUnreachable(
        f"Expected an answer of the hub about {repo}, received none ({reason}): check the connection and run this "
        "again; what is downloaded stays."
    )
