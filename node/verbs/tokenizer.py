"""`tokenizer REQUEST`: the tokenizer of a model on this node, as one JSON document.

REQUEST is JSON: {"model_directory", "handle", "revision"}, or {"folder"} for a model of the user's
own. Weights and code are never sent: only files of these names, up to a size.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from node.errors import StepError
from node.host.paths import MODELS
from node.host.system import System
from node.host.typed_json import parse
from node.huggingface import cache

NAMES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "vocab.txt", "merges.txt", "tokenizer.model", "spiece.model", "tekken.json"),
    *("chat_template.jinja", "config.json", "generation_config.json"),
)
NEEDED = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "tekken.json")
"""One of them is there where a tokenizer is."""

LARGEST_BYTES = 64 * 2**20
DEFAULT_BRANCH = "main"


@dataclass(frozen=True)
class TokenizerRequest:
    model_directory: str = MODELS
    handle: str = ""
    revision: str | None = None
    folder: str | None = None


@dataclass(frozen=True)
class TokenizerFiles:
    """`commit` is the revision of the hub, None for a folder of the user's own. Texts in base64."""

    folder: str
    commit: str | None
    files: dict[str, str]


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """Raises StepError."""
    found = read_tokenizer(system, parse_request(arguments))
    document = {"folder": found.folder, "commit": found.commit, "files": found.files}
    return [json.dumps(document)]


def parse_request(arguments: Sequence[str]) -> TokenizerRequest:
    """Raises StepError."""
    try:
        return parse(TokenizerRequest, json.loads(arguments[0]) if arguments else {}, "request")
    except ValueError as error:
        raise StepError(f"`tokenizer` needs a request in JSON: {error}.") from None


def read_tokenizer(system: System, request: TokenizerRequest) -> TokenizerFiles:
    """Raises StepError where there is none."""
    for folder, commit in list_folders(system, request):
        files = {
            path.name: base64.b64encode(path.read_bytes()).decode("ascii")
            for path in list_files(system.path(folder))
        }
        if any(name in files for name in NEEDED):
            return TokenizerFiles(folder, commit, files)
    place = request.folder or request.handle
    raise StepError(f"{place} has no tokenizer on this node: none of {', '.join(NEEDED)} is there.")


def list_folders(system: System, request: TokenizerRequest) -> Iterator[tuple[str, str | None]]:
    """Where the model may lie: its own folder, or a cache of the hub's form."""
    if request.folder:
        yield request.folder, None
        return
    for top in (f"{request.model_directory}/hub", request.model_directory):
        root = cache.get_model_folder(top, request.handle)
        commit = cache.resolve_commit(system, root, request.revision or DEFAULT_BRANCH)
        if commit:
            yield cache.get_snapshot_folder(root, commit), commit


def list_files(folder: Path) -> Iterator[Path]:
    for name in NAMES:
        path = folder / name
        if path.is_file() and path.stat().st_size <= LARGEST_BYTES:
            yield path
