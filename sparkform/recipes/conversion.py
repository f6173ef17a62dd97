"""A recipe becomes a service block: what a key covers becomes that key, the rest an argument or a
variable, and what is left out is named with the reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkform.config.secret_keys import format_set_command
from sparkform.config.section import get_fields_by_key
from sparkform.config.service import ENGINES
from sparkform.launch.trtllm import ALIASES as TRTLLM_ALIASES
from sparkform.recipes import option_keys
from sparkform.recipes.engine_options import canonicalize
from sparkform.recipes.mounts import FolderMount, parse_mount
from sparkform.recipes.option_keys import (
    ADAPTER_RANK,
    ALWAYS_PLANNED,
    BROUGHT_BY_ADAPTERS,
    OptionKey,
    describe_fixed,
)
from sparkform.recipes.recipe import Conversion, Piece, Recipe, Remark

DEFAULT_PORT = 8000
"""Of both engines (vllm/entrypoints/openai/cli_args.py; tensorrt_llm/commands/serve.py)."""

OPEN = re.compile(r"\$\{?\w|\$\(|^<.*>$|^\[.*\]/|\{\w+\}")
"""A place that the recipe leaves to whoever runs it."""

OWN_VARIABLES = re.compile(
    r"(NCCL|GLOO|TP)_SOCKET_IFNAME|NCCL_IB_(HCA|GID_INDEX)|VLLM_HOST_IP|MASTER_(ADDR|PORT)"
    r"|(NODE_)?RANK|NNODES|WORLD_SIZE|UCX_NET_DEVICES|OMPI_.*|RAY_(NODE_IP_ADDRESS|ADDRESS|OVERRIDE.*)"
    r"|(NVIDIA|CUDA)_VISIBLE_DEVICES|NVIDIA_DRIVER_CAPABILITIES|HF_(HOME|HUB_CACHE|HUB_OFFLINE)"
    r"|TIKTOKEN_(ENCODINGS_BASE|(RS_)?CACHE_DIR)|HUGGINGFACE_HUB_CACHE|TRANSFORMERS_(OFFLINE|CACHE)|PATH|HOME|LD_LIBRARY_PATH|PYTHONPATH"
)
BROUGHT_BY_US = "sparkform brings models to the nodes by itself"
HUB_CACHE = re.compile(r"(hub|huggingface)(/|$)|hf[-_]cache")


@dataclass
class BlockDraft:
    """`origins` are the pieces that gave a key its value, the last of which counts."""

    engine: str
    values: dict[str, object] = field(default_factory=dict)
    origins: dict[str, Piece] = field(default_factory=dict)
    arguments: list[tuple[Piece, tuple[str, ...]]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)

    def set(self, key: str, value: object, piece: Piece) -> None:
        earlier = self.origins.get(key)
        if earlier is not None:
            is_same = self.values[key] == value
            self.leave(earlier, "said again" if is_same else "another value is given later")
        self.values[key], self.origins[key] = value, piece

    def leave(self, piece: Piece, reason: str) -> None:
        self.remarks.append(Remark(piece, reason))


def convert(recipe: Recipe) -> Conversion:
    """Every piece is in the block or in a remark."""
    draft = BlockDraft(recipe.engine or "vllm")
    mounts = [mount for piece in recipe.pieces if (mount := parse_mount(piece))]
    # What vLLM's --runner leaves open, its --convert says.
    for piece in sorted(recipe.pieces, key=lambda piece: piece.name == "--convert"):
        reason = _find_reason(piece, mounts)
        if reason is not None:
            draft.leave(piece, reason)
        elif piece.kind == "image":
            _take(draft, "image", piece)
        elif piece.kind == "model" or _get_name(draft, piece) == "--model":
            _take_model(draft, piece, mounts)
        elif piece.kind == "variable":
            _take_variable(draft, piece)
        else:
            _take_setting(draft, piece)
    _settle(draft)
    return _build(recipe.name, draft)


def _get_name(draft: BlockDraft, piece: Piece) -> str:
    """The option as a launch spells it."""
    if draft.engine == "vllm":
        return canonicalize(piece.name)
    name = piece.name.partition("=")[0].replace("-", "_")
    name = f"--{name.lstrip('_')}" if piece.name.startswith("--") else piece.name
    return TRTLLM_ALIASES.get(name, name)


def _take(draft: BlockDraft, key: str, piece: Piece) -> None:
    if not piece.value or OPEN.search(piece.value):
        draft.leave(piece, "has no value here")
    else:
        draft.set(key, piece.value, piece)


def _take_model(draft: BlockDraft, piece: Piece, mounts: list[FolderMount]) -> None:
    """A handle, or the folder where the nodes have it: a container's path is not theirs."""
    value = piece.value or ""
    if not value.startswith(("/", "~", ".")) or OPEN.search(value):
        _take(draft, "model", piece)
        return
    mount = next((mount for mount in mounts if mount.contains(value)), None)
    if mount is not None:
        value = mount.source + value[len(mount.target) :]
    if value.startswith("/") and not OPEN.search(value):
        draft.set("modelPath", value.rstrip("/") or value, piece)
    else:
        draft.leave(piece, "a path of whoever starts it: give model or modelPath")


def _take_variable(draft: BlockDraft, piece: Piece) -> None:
    value = piece.value or ""
    if OWN_VARIABLES.fullmatch(piece.name):
        draft.leave(piece, "sparkform sets it on each node")
    elif not value.strip():
        draft.leave(piece, "empty, which engines read as a value")
    elif OPEN.search(value):
        draft.leave(piece, "has no value here")
    elif "\n" in value:
        draft.leave(piece, "has several lines")
    else:
        draft.set(f"environment.{piece.name}", value, piece)


def _find_reason(piece: Piece, mounts: list[FolderMount]) -> str | None:
    """Why a piece cannot be taken over, whatever it sets."""
    if piece.secret_key:
        return f"a secret: {format_set_command(piece.secret_key)}"
    if piece.kind == "mount":
        is_cache = HUB_CACHE.search(piece.value or "")
        return BROUGHT_BY_US if is_cache else "no key of a service mounts a folder"
    is_argument = piece.kind == "option" and piece.name != "--model"
    if is_argument and any(mount.holds_path_of(piece.value or "") for mount in mounts):
        return "lies in a folder that only its container has"
    return piece.reason


def _take_setting(draft: BlockDraft, piece: Piece) -> None:
    """An option, or a key of TensorRT-LLM's file."""
    is_file_key = piece.kind == "file key"
    name = piece.name if is_file_key else _get_name(draft, piece)
    option_key = _find_key(draft.engine, name, is_file_key)
    fixed = describe_fixed(piece, name)
    value = option_key.read(piece.value or "") if option_key and option_key.key else None
    if option_key and option_key.reason:
        draft.leave(piece, option_key.reason)
    elif fixed:
        draft.leave(piece, fixed)
    elif piece.value is not None and OPEN.search(piece.value) and not piece.value.startswith("{"):
        draft.leave(piece, "has no value here")
    elif option_key and option_key.key and value is not None:
        draft.set(option_key.key, value, piece)
    elif is_file_key or name in ALWAYS_PLANNED:
        draft.leave(piece, "no key of a service says it")
    else:
        _add_argument(draft, piece, name)


def _find_key(engine: str, name: str, is_file_key: bool) -> OptionKey | None:
    if is_file_key:
        return option_keys.TRTLLM_FILE.get(name)
    return (option_keys.VLLM if engine == "vllm" else option_keys.TRTLLM).get(name)


def _add_argument(draft: BlockDraft, piece: Piece, name: str) -> None:
    values = () if piece.value is None else (piece.value,)
    for earlier, words in draft.arguments:
        if _get_name(draft, earlier) == name:
            is_same = words[1:] == values
            draft.leave(earlier, "said again" if is_same else "another value is given later")
            draft.arguments.remove((earlier, words))
            break
    draft.arguments.append((piece, (piece.name, *values)))


def _settle(draft: BlockDraft) -> None:
    """What depends on other pieces."""
    ranks = 1
    for key in ("tensorParallel", "pipelineParallel", "dataParallel"):
        size = draft.values.get(key)
        ranks *= size if isinstance(size, int) else 1
    _settle_adapters(draft)
    _drop_key(draft, "launcher", ranks == 1, "one rank needs none")
    _drop_key(draft, "revision", "modelPath" in draft.values, "modelPath is not fetched")
    both = "model" in draft.values and "modelPath" in draft.values
    _drop_key(draft, "model", both, "the folder is given")
    flag = draft.values.get("cudaGraph")
    _drop_key(draft, "cudaGraph.maxBatchSize", flag is False, "graphs are off")


def _settle_adapters(draft: BlockDraft) -> None:
    """Each has its rank; without any, what belongs to them stays an argument."""
    adapters, rank = draft.values.get("adapters"), draft.values.pop(ADAPTER_RANK, None)
    if isinstance(adapters, list):
        if rank is not None:
            draft.values["adapters"] = [{**adapter, "rank": rank} for adapter in adapters]
        brought = [each for each in draft.arguments if each[1][0] in BROUGHT_BY_ADAPTERS]
        for argument in brought:
            draft.arguments.remove(argument)
            draft.leave(argument[0], "adapters brings it along")
    elif rank is not None:
        piece = draft.origins.pop(ADAPTER_RANK)
        draft.arguments.append((piece, (piece.name, str(piece.value))))


def _drop_key(draft: BlockDraft, key: str, condition: bool, reason: str) -> None:
    if condition and key in draft.values:
        del draft.values[key]
        draft.leave(draft.origins.pop(key), reason)


def _build(name: str, draft: BlockDraft) -> Conversion:
    block: dict[str, object] = {"engine": draft.engine, "runtime": "container"}
    for key, value in draft.values.items():
        parent, dot, child = key.partition(".")
        if dot:
            inner = block.setdefault(parent, {})
            if isinstance(inner, dict):
                inner[child] = value
        else:
            block[key] = value
    block.setdefault("port", DEFAULT_PORT)
    words = [word for _, argument in draft.arguments for word in argument]
    if words:
        block["extraArgs"] = words
    taken = [(piece, key) for key, piece in draft.origins.items()]
    taken += [(piece, "extraArgs") for piece, _ in draft.arguments]
    return Conversion(name, order_block(block), tuple(taken), tuple(draft.remarks))


def order_block(block: Mapping[str, object]) -> dict[str, object]:
    """As in the reference, but for the long lists, which come last."""
    order = [*get_fields_by_key(ENGINES[str(block["engine"])]), "environment", "extraArgs"]
    places = {key: place for place, key in enumerate(order)}
    return dict(sorted(block.items(), key=lambda item: places[item[0]]))
