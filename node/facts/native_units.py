"""Fact `native_units`: the systemd units of native engines, and what their processes really have.

    [{"unit": "sparkform-qwen.service", "active": true, "environment": {"NCCL_IB_DISABLE": "0"},
      "nccl": ["/opt/sparkform/trees/native_nccl-1f0c33d2a4b5/nvidia/nccl/lib/libnccl.so.2"]}]

`environment` is that of the main process, cut down to names that hold no secret. `nccl` are the
NCCL libraries that any process of the unit has mapped, each once: two are one too many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from node.facts.reading import FactReader, FactRequest, UnreadableFact
from node.host.paths import SYSTEMD_UNITS

OTHER_UNITS = ("sparkform-rollback", "sparkform-supervisor@")
"""Ours, and no engine: what rolls back a network change (node.network.arming), and what keeps a
service alive (node.ranks.supervisors)."""

PROPERTIES = ("Id", "ActiveState", "MainPID", "ControlGroup")
CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd")
"""The second is that of a machine with the first version of cgroups."""

PASSED_PREFIXES = ("NCCL_", "GLOO_", "UCX_", "RAY_memory_")
PASSED_NAMES = frozenset(
    {
        *("VLLM_HOST_IP", "VLLM_DISABLED_KERNELS", "VLLM_NO_USAGE_STATS"),
        *("LD_LIBRARY_PATH", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
    }
)
LIBRARY = "/libnccl.so"


class NativeUnitFact(TypedDict):
    unit: str
    active: bool
    environment: dict[str, str]
    nccl: list[str]


def read(reader: FactReader, request: FactRequest) -> list[NativeUnitFact]:
    paths = reader.list_paths(f"{SYSTEMD_UNITS}/sparkform-*.service")
    units = [path.rpartition("/")[2] for path in paths]
    engine_units = [unit for unit in units if not unit.startswith(OTHER_UNITS)]
    if not engine_units:
        return []
    show_output = reader.run_command(
        "systemctl", "show", f"--property={','.join(PROPERTIES)}", *engine_units
    )
    blocks = _parse_blocks(show_output)
    return parse(
        show_output,
        environ={block["Id"]: _read_environ(reader, block) for block in blocks},
        maps={block["Id"]: _read_maps(reader, block) for block in blocks},
    )


def parse(
    show_output: str, environ: Mapping[str, str], maps: Mapping[str, Sequence[str]]
) -> list[NativeUnitFact]:
    """`environ` and `maps` by unit: texts of /proc/PID/environ and of /proc/PID/maps."""
    if not _parse_blocks(show_output):
        raise UnreadableFact("systemctl: its answer names no unit")
    return [
        {
            "unit": block["Id"],
            "active": block.get("ActiveState") == "active",
            "environment": _select_environment(environ.get(block["Id"], "")),
            "nccl": _find_libraries(maps.get(block["Id"], ())),
        }
        for block in _parse_blocks(show_output)
    ]


def is_passed_on(name: str) -> bool:
    return name in PASSED_NAMES or name.startswith(PASSED_PREFIXES)


def _parse_blocks(show_output: str) -> list[dict[str, str]]:
    """One mapping for each unit: `systemctl show` parts them by empty lines."""
    blocks = [block.splitlines() for block in show_output.split("\n\n")]
    units = [dict(line.split("=", 1) for line in lines if "=" in line) for lines in blocks]
    return [unit for unit in units if "Id" in unit]


def _select_environment(text: str) -> dict[str, str]:
    pairs = [part.split("=", 1) for part in text.split("\0") if "=" in part]
    return {name: value for name, value in sorted(pairs) if is_passed_on(name)}


def _find_libraries(maps: Iterable[str]) -> list[str]:
    mappings = [line.split(maxsplit=5) for text in maps for line in text.splitlines()]
    return sorted(
        {mapping[5] for mapping in mappings if len(mapping) == 6 and LIBRARY in mapping[5]}
    )


def _read_environ(reader: FactReader, block: Mapping[str, str]) -> str:
    return "".join(reader.read_files([f"/proc/{block.get('MainPID', '0')}/environ"]).values())


def _read_maps(reader: FactReader, block: Mapping[str, str]) -> list[str]:
    group = block.get("ControlGroup")
    listed = reader.read_files(f"{root}{group}/cgroup.procs" for root in CGROUPS) if group else {}
    pids = sorted({pid for text in listed.values() for pid in text.split()})
    return list(reader.read_files(f"/proc/{pid}/maps" for pid in pids).values())
