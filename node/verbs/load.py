"""`load REQUEST`: `vllm bench serve` in the runtime of a service's engine on this node.

REQUEST is JSON: {"service", "arguments": words after `vllm bench serve`, "limit_s"}. Prints its
result as one JSON document, without what was asked and answered. The API's key comes from the file
that the engine reads it from. It ends with its limit, and when nobody reads any more.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from node.errors import StepError
from node.host.output import is_unread
from node.host.paths import SERVICES, VIRTUALENV
from node.host.plain import as_mapping
from node.host.system import TIMED_OUT, CommandResult, System
from node.host.typed_json import parse
from node.ranks.finding import find_local_ranks
from node.ranks.rank import UNIT, Rank

TEXTS = ("generated_texts",)
PAUSE_S = 0.5
END_LIMIT_S = 30.0
CONTAINER_KEY = "/run/secrets/sparkform-api-key"

SCRIPT = r"""
folder=$1 limit=$2 key=$3
shift 3
umask 077
mkdir "$folder" || exit 73
trap 'rm -rf "$folder"' EXIT
export HOME="$folder" PYTHONDONTWRITEBYTECODE=1
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 VLLM_NO_USAGE_STATS=1
if [ -r "$key" ]; then OPENAI_API_KEY="$(cat "$key")"; export OPENAI_API_KEY; fi
timeout --signal=INT --kill-after=15 "$limit" "$@" --save-result --save-detailed \
    --result-dir "$folder" --result-filename result.json >"$folder/log" 2>&1 &
echo $! >"$folder/pid"
wait $!
code=$?
if [ -s "$folder/result.json" ]; then cat "$folder/result.json"; exit 0; fi
tail -n 5 "$folder/log" >&2
exit $code
"""
"""`timeout` passes an interrupt on to the load generator. Nothing stays: what it writes besides is
in its folder too."""

STOP = 'kill -INT "$(cat "$1/pid")"'


@dataclass(frozen=True)
class LoadRequest:
    service: str
    arguments: tuple[str, ...]
    limit_s: float


@dataclass
class LoadRun:
    """The load generator in a thread, so that it can be told to end meanwhile."""

    system: System
    argv: Sequence[str]
    limit_s: float
    result: CommandResult | None = field(default=None)

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        return thread

    def _run(self) -> None:
        self.result = self.system.run(self.argv, timeout_s=self.limit_s + END_LIMIT_S)


def main(system: System, arguments: Sequence[str], stdin: str) -> list[str]:
    """One line. Raises StepError."""
    request = parse_request(arguments)
    rank = find_head(system, request.service)
    folder = f"/tmp/sparkform-load-{time.time_ns()}"
    argv = build_argv(request, rank, folder)
    result = run_watched(system, request, argv, build_stop(rank, folder), is_unread)
    return [strip_texts(require_result(result, request))]


def parse_request(arguments: Sequence[str]) -> LoadRequest:
    """Raises StepError."""
    try:
        return parse(LoadRequest, json.loads(arguments[0]), "request")
    except (IndexError, ValueError) as error:
        raise StepError(f"`load` needs a request in JSON: {error}.") from None


def find_head(system: System, service: str) -> Rank:
    """Rank 0 of a service, which runs. Raises StepError."""
    local = find_local_ranks(system, service)
    rank = next((rank for rank in local.ranks if rank.rank == 0 and rank.is_running), None)
    if rank is None:
        why = local.unknown or "no rank 0 of it runs here"
        raise StepError(f"Service {service}: {why}, so nothing can be run beside its engine.")
    return rank


def build_argv(request: LoadRequest, rank: Rank, folder: str) -> list[str]:
    limit = f"{request.limit_s:g}"
    if rank.kind == UNIT:
        key = f"{SERVICES}/{request.service}/secrets/api-key"
        program = [f"{VIRTUALENV}/bin/python", "-m", "vllm.entrypoints.cli.main", "bench", "serve"]
        return [*build_script(SCRIPT, folder, limit, key), *program, *request.arguments]
    script = build_script(SCRIPT, folder, limit, CONTAINER_KEY)
    return ["docker", "exec", rank.id, *script, "vllm", "bench", "serve", *request.arguments]


def build_stop(rank: Rank, folder: str) -> list[str]:
    script = build_script(STOP, folder)
    return script if rank.kind == UNIT else ["docker", "exec", rank.id, *script]


def build_script(script: str, *words: str) -> list[str]:
    return ["sh", "-c", script, "sparkform", *words]


def run_watched(
    system: System,
    request: LoadRequest,
    argv: Sequence[str],
    stop: Sequence[str],
    is_lost: Callable[[], bool],
) -> CommandResult:
    """Ended in the engine's runtime where nobody reads: ending `docker exec` here would not."""
    run = LoadRun(system, argv, request.limit_s)
    thread = run.start()
    is_stopped = False
    while thread.is_alive():
        if is_lost() and not is_stopped:
            system.run(stop, timeout_s=END_LIMIT_S)
            is_stopped = True
        thread.join(PAUSE_S)
    return run.result or CommandResult(TIMED_OUT, "", "no answer")


def require_result(result: CommandResult, request: LoadRequest) -> str:
    """Raises StepError."""
    if result.code == 0 and result.out.strip():
        return result.out
    if result.code == TIMED_OUT:
        raise StepError(f"The load took longer than {request.limit_s:g} s and was ended.")
    lines = [line.strip() for line in result.err.splitlines() if line.strip()]
    why = lines[-1] if lines else f"code {result.code}"
    raise StepError(f"`vllm bench serve` ended without a result: {why}")


def strip_texts(text: str) -> str:
    """What a model answered stays here. Raises StepError."""
    try:
        document = as_mapping(json.loads(text))
    except ValueError:
        raise StepError("`vllm bench serve` wrote no JSON.") from None
    return json.dumps({key: value for key, value in document.items() if key not in TEXTS})
