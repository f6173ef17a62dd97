"""Queries the hub for a model's commit and files, with its own client, before any download."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from node.errors import StepError
from node.host.daemons import get_last_line
from node.host.system import System
from node.huggingface import environment
from node.huggingface.client import PYTHON

LIMIT_S = 120.0
MESSAGE_LIMIT = 300
PROGRAM = """\
import json, sys
from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url
handle, revision = sys.argv[1:]
def digest(file):
    return "sha256:" + file.lfs.sha256 if file.lfs else "git:" + file.blob_id
try:
    info = HfApi().model_info(handle, revision=revision, files_metadata=True)
    files = {file.rfilename: {"size": file.size, "digest": digest(file)} for file in info.siblings}
    largest = max(files, key=lambda name: files[name]["size"])
    # Anybody may list the files of a gated model; only their content is behind the gate.
    get_hf_file_metadata(hf_hub_url(handle, largest, revision=info.sha))
    print(json.dumps({"commit": info.sha, "files": files}))
except Exception as error:
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    print(json.dumps({"error": type(error).__name__, "status": status, "message": str(error)}))
"""


@dataclass(frozen=True)
class HubFile:
    """One file at the hub."""

    size: int
    digest: str


@dataclass(frozen=True)
class HubModel:
    """A model at one commit, its files by name."""

    commit: str
    files: Mapping[str, HubFile]

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files.values())


@dataclass(frozen=True)
class HubError:
    """The client's exception by its class name, and its message."""

    kind: str
    message: str


def query_model(system: System, handle: str, revision: str, token: str | None) -> HubModel:
    """Raises StepError with what to do where the hub denies the model."""
    argv = [PYTHON, "-I", "-c", PROGRAM, handle, revision]
    variables = environment.build_environment(system, token)
    result = system.run(argv, timeout_s=LIMIT_S, environment=variables)
    try:
        answer = json.loads(result.out)
    except ValueError:
        raise StepError(f"The hub client failed: {get_last_line(result)}") from None
    if "error" in answer:
        url = f"{environment.get_endpoint(system)}/{handle}"
        error = HubError(answer["error"], str(answer["message"]))
        raise StepError(format_error(error, handle, revision, url, has_token=token is not None))
    files = {name: HubFile(**file) for name, file in answer["files"].items()}
    return HubModel(answer["commit"], files)


def format_error(error: HubError, handle: str, revision: str, url: str, *, has_token: bool) -> str:
    """The client's error as a sentence for the user, with what to do. Pure."""
    if "Invalid credentials" in error.message:
        return (
            "The hub rejects the token in sparkform:hfToken. Create a new one in the hub's "
            "settings under Access Tokens, then `pulumi config set --secret sparkform:hfToken`."
        )
    if error.kind == "GatedRepoError":
        return _format_gated(handle, url, has_token)
    if error.kind == "RepositoryNotFoundError":
        hint = "" if has_token else ", and sparkform:hfToken is not set"
        return f"The hub has no model {handle}: the handle is wrong or it is private{hint}."
    if error.kind == "RevisionNotFoundError":
        return f"{handle} has no revision {revision}; {url}/commits/main lists what it has."
    message = " ".join(error.message.split())[:MESSAGE_LIMIT]
    return f"{handle} cannot be queried at {url}: {error.kind}: {message}"


def _format_gated(handle: str, url: str, has_token: bool) -> str:
    if has_token:
        return (
            f"{handle} is gated and the owner of sparkform:hfToken has no access. Accept its terms "
            f"at {url}; if they must be granted by hand, wait for that. Then run `pulumi up`."
        )
    return (
        f"{handle} is gated and sparkform:hfToken is not set. Accept its terms at {url}, create a "
        "token there, then `pulumi config set --secret sparkform:hfToken`."
    )
