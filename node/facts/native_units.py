"""Fact `native_units`: the systemd units of native engines, and what their processes really have.

    [{"unit": "sparkform-qwen.service", "active": true, "environment": {"NCCL_IB_DISABLE": "0"},
      "nccl": ["/opt/sparkform/trees/native_nccl-1f0c33d2a4b5/nvidia/nccl/lib/libnccl.so.2"]}]

`environment` is that of the main process, cut down to names that hold no secret. `nccl` are the
NCCL libraries that any process of the unit has mapped, each once: two are one too many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from node.facts.reading import Look, Request, Unreadable

UNITS = "/etc/systemd/system"
OWN = "sparkform-rollback"
"""Ours, and no engine: it takes back a network change (node.network.arming)."""

PROPERTIES = ("Id", "ActiveState", "MainPID", "ControlGroup")
CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd")
"""The second is that of a machine with the first version of cgroups."""

TOLD = ("NCCL_", "GLOO_", "UCX_", "RAY_memory_")
TOLD_NAMES = frozenset(
    {
        *("VLLM_HOST_IP", "VLLM_DISABLED_KERNELS", "VLLM_NO_USAGE_STATS"),
        *("LD_LIBRARY_PATH", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"),
    }
)
LIBRARY = "/libnccl.so"


def read(look: Look, request: Request) -> object:
    paths = look.names(f"{UNITS}/sparkform-*.service")
    units = [path.rpartition("/")[2] for path in paths]
    asked = [unit for unit in units if not unit.startswith(OWN)]
    if not asked:
        return []
    shown = look.command("systemctl", "show", f"--property={','.join(PROPERTIES)}", *asked)
    blocks = _blocks(shown)
    return parse(
        shown,
        environ={one["Id"]: _environ(look, one) for one in blocks},
        maps={one["Id"]: _maps(look, one) for one in blocks},
    )


def parse(shown: str, environ: Mapping[str, str], maps: Mapping[str, Sequence[str]]) -> object:
    """`environ` and `maps` by unit: texts of /proc/PID/environ and of /proc/PID/maps."""
    if not _blocks(shown):
        raise Unreadable("systemctl: its answer names no unit")
    return [
        {
            "unit": one["Id"],
            "active": one.get("ActiveState") == "active",
            "environment": _told(environ.get(one["Id"], "")),
            "nccl": _libraries(maps.get(one["Id"], ())),
        }
        for one in _blocks(shown)
    ]


def is_told(name: str) -> bool:
    return name in TOLD_NAMES or name.startswith(TOLD)


def _blocks(shown: str) -> list[dict[str, str]]:
    """One mapping for each unit: `systemctl show` parts them by empty lines."""
    blocks = [block.splitlines() for block in shown.split("\n\n")]
    found = [dict(line.split("=", 1) for line in lines if "=" in line) for lines in blocks]
    return [one for one in found if "Id" in one]


def _told(text: str) -> dict[str, str]:
    pairs = [part.split("=", 1) for part in text.split("\0") if "=" in part]
    return {name: value for name, value in sorted(pairs) if is_told(name)}


def _libraries(maps: Iterable[str]) -> list[str]:
    words = [line.split(maxsplit=5) for text in maps for line in text.splitlines()]
    return sorted({one[5] for one in words if len(one) == 6 and LIBRARY in one[5]})


def _environ(look: Look, one: Mapping[str, str]) -> str:
    return "".join(look.texts([f"/proc/{one.get('MainPID', '0')}/environ"]).values())


def _maps(look: Look, one: Mapping[str, str]) -> list[str]:
    group = one.get("ControlGroup")
    listed = look.texts(f"{root}{group}/cgroup.procs" for root in CGROUPS) if group else {}
    pids = sorted({pid for text in listed.values() for pid in text.split()})
    return list(look.texts(f"/proc/{pid}/maps" for pid in pids).values())
