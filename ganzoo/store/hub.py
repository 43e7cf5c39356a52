"""Models on the Hugging Face Hub, by the package ``huggingface_hub``, with its cache, tokens and offline mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ganzoo.errors import Problem, UserError
from ganzoo.store import published

EXTRA = 'pip install "ganzoo[hub]"'


def fetch(name: str) -> Path:
    """The folder, in the hub's cache, of ``USER/NAME`` or ``USER/NAME@REVISION``.

    Raises:
        UserError: it is no name, there is no such model, it is none of ganzoo, or the hub cannot be reached.
    """
    repo, _, revision = name.partition("@")
    check(repo)
    hub = _hub()
    wanted = [*published.FILES, "code/*"]
    with _telling(repo, revision):
        path = Path(hub.snapshot_download(repo, revision=revision or None, allow_patterns=wanted))
    if not published.is_one(path):
        hint = "one has config.json and model.safetensors as `ganzoo publish` writes them"
        raise UserError(Problem(f"hf:{name} is no model of ganzoo", hint=hint))
    return path


def push(folder: Path, repo: str, private: bool = False, message: str = "") -> str:
    """Upload a published model, making the repository if there is none; where it is now.

    Raises:
        UserError: it is no name, nobody is logged in, or the hub refuses it.
    """
    check(repo)
    api = _hub().HfApi()
    with _telling(repo, ""):
        api.create_repo(repo, exist_ok=True, private=private)
        api.upload_folder(
            repo_id=repo, folder_path=folder, allow_patterns=[*published.FILES, "code/*"], commit_message=message
        )
    return f"{api.endpoint}/{repo}"


def check(repo: str) -> None:
    """Refuse what cannot be a name on the hub.

    Raises:
        UserError: it is none, or the package for the hub is not installed.
    """
    _hub()
    from huggingface_hub.utils import validate_repo_id

    with _telling(repo, ""):
        validate_repo_id(repo)
    if repo.count("/") != 1:
        raise UserError(Problem(f"'{repo}' is no name on the hub", hint="write USER/NAME"))


def _hub() -> Any:
    try:
        import huggingface_hub
    except ImportError:
        raise UserError(Problem("models on the hub need the package huggingface_hub", hint=EXTRA)) from None
    return huggingface_hub


@contextmanager
def _telling(repo: str, revision: str) -> Iterator[None]:
    """What goes wrong, in one message."""
    from huggingface_hub import constants, errors

    carried = [base for base in errors.HfHubHTTPError.__mro__ if base.__module__.startswith("http")]
    unreached: tuple[type[Exception], ...] = (OSError, *carried)  # by whichever library carries the messages
    name = f"hf:{repo}" + (f"@{revision}" if revision else "")
    try:
        yield
    except errors.HFValidationError:
        raise UserError(Problem(f"'{repo}' is no name on the hub", hint="write USER/NAME")) from None
    except errors.RevisionNotFoundError:
        raise UserError(f"{name}: there is no such revision") from None
    except errors.RepositoryNotFoundError:
        hint = "if it is private, or yours to make, log in: `hf auth login`"
        raise UserError(Problem(f"there is no model {name} that you may see", hint=hint)) from None
    except errors.LocalEntryNotFoundError:
        reason = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
        raise UserError(f"{name} is not in the cache, and {reason}") from None
    except errors.OfflineModeIsEnabled:
        raise UserError(f"{name}: the hub cannot be asked, for HF_HUB_OFFLINE is set") from None
    except errors.HfHubHTTPError as error:
        code = error.response.status_code if error.response is not None else None
        hint = "log in with a token that may write: `hf auth login`" if code in (401, 403) else ""
        said = error.server_message or str(error).strip().split("\n", 1)[0]
        raise UserError(Problem(f"{name}: the hub refuses it: {said}", hint=hint)) from None
    except unreached as error:
        raise UserError(f"{name}: the hub cannot be reached: {error}") from None
