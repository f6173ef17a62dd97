"""The model's own tokenizer, from the node that serves it: no hub is asked."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from node.verbs.tokenizer import DEFAULT_BRANCH
from sparkform.commands.bench.failure import BenchError
from sparkform.report.rack_report import NodeError
from sparkform.ssh.target import Target, VerbRequest
from sparkform.ssh.watching import query_documents

LIMIT_S = 60.0
NO_COMMIT = "0" * 40
"""For a folder of the user's own, which has no commit: the name of a snapshot is one."""


@dataclass(frozen=True)
class FetchedTokenizer:
    """`handle` is found in `home`, a cache of the hub's form. `commit` is the model's revision;
    `folder` is where the model lies on its node."""

    handle: str
    home: Path
    commit: str | None
    folder: str


def fetch_tokenizer(target: Target, request: VerbRequest, home: Path) -> FetchedTokenizer:
    """Raises BenchError where the node has none."""
    answer = query_documents({target.name: request}, [target], LIMIT_S)[target.name]
    if isinstance(answer, NodeError):
        raise BenchError(
            f"{target.name}: the model's tokenizer cannot be read, so no prompt of an exact length "
            f"can be made. {answer.what}"
        )
    document = json.loads(answer)
    handle = str(request.request.get("handle") or "local/model")
    commit = document["commit"]
    write_cache(home, handle, commit or NO_COMMIT, document["files"])
    return FetchedTokenizer(handle, home, commit, document["folder"])


def write_cache(home: Path, handle: str, commit: str, files: dict[str, str]) -> None:
    """The form in which huggingface_hub finds a model offline (its guides/manage-cache)."""
    root = home / "hub" / f"models--{handle.replace('/', '--')}"
    snapshot = root / "snapshots" / commit
    snapshot.mkdir(parents=True, exist_ok=True)
    (root / "refs").mkdir(exist_ok=True)
    (root / "refs" / DEFAULT_BRANCH).write_text(commit, encoding="ascii")
    for name, text in files.items():
        (snapshot / Path(name).name).write_bytes(base64.b64decode(text))
