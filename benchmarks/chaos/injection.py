"""Does a fault to the rack, and takes it back."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

from benchmarks.chaos.faults import DrawnFault, FaultName
from benchmarks.chaos.service import ChaosService, RunFailed, complete
from node.ranks.supervisors import get_supervisor_unit
from sparkrack import breakage, inventory
from sparkrack.demo.served import NAME
from sparkrack.ports import MANAGEMENT_DEVICE, list_fabric_ports

UNIT = get_supervisor_unit(NAME)
CLOCK_FOLDER = "/etc/python3.11"
CLOCK = f"{CLOCK_FOLDER}/sitecustomize.py"
OFFSET = "/run/chaos-clock-offset"
STEP_S = 3600
KILL_DOCKERD = "systemctl reset-failed docker.service; systemctl kill -s KILL docker.service"
"""Its unit is not started again after three ends within a minute (StartLimitBurst): the count
begins anew, so that rounds do not add up to a Docker that stays down."""

CLOCK_PROGRAM = f"""# The nodes share their machine's clock: Python alone is shown a step.
import time
_time = time.time
def _read_offset_s():
    try:
        return float(open("{OFFSET}").read())
    except (OSError, ValueError):
        return 0.0
time.time = lambda: _time() + _read_offset_s()
"""
Action = Callable[[ChaosService, DrawnFault], None]


def prepare_clock(service: ChaosService) -> None:
    """From their next start on, Python programs of the nodes read the time with an offset."""
    for host in service.hosts:
        script = f"cat > {CLOCK} <<'END'\n{CLOCK_PROGRAM}END\nsystemctl restart {UNIT}"
        result = service.run_on(host, script, limit_s=60)
        if result.code:
            raise RunFailed(f"{host}: {result.err}")


def inject(service: ChaosService, fault: DrawnFault) -> None:
    """And keep it for as long as it lasts; an `up` is over when this returns."""
    ACTIONS[fault.name][0](service, fault)
    if fault.effect == "none":
        time.sleep(fault.lasts_s)


def mend(service: ChaosService, fault: DrawnFault) -> None:
    ACTIONS[fault.name][1](service, fault)


def _run(script: str) -> Action:
    def run(service: ChaosService, fault: DrawnFault) -> None:
        filled = script.replace("RANK", str(service.hosts.index(fault.node)))
        result = service.run_on(fault.node, filled, limit_s=60)
        if result.code:
            raise RunFailed(f"{fault.node}: {result.err}")

    return run


def _break(name: str) -> Action:
    def run(service: ChaosService, fault: DrawnFault) -> None:
        rack, containers = inventory.find_rack(service.rack.name)
        breakage.break_it(rack, containers, name, _list_arguments(service, fault))

    return run


def _mend(name: str) -> Action:
    def run(service: ChaosService, fault: DrawnFault) -> None:
        rack, containers = inventory.find_rack(service.rack.name)
        breakage.mend_it(rack, containers, name, _list_arguments(service, fault))

    return run


def _list_arguments(service: ChaosService, fault: DrawnFault) -> list[str]:
    if fault.name != "link down":
        return [fault.node]
    node = service.find_node(fault.node)
    return [fault.node, list_fabric_ports(node.index)[0].device]


def _nothing(service: ChaosService, fault: DrawnFault) -> None:
    pass


def _up(service: ChaosService, fault: DrawnFault) -> None:
    service.up()


def _kill_up(service: ChaosService, fault: DrawnFault) -> None:
    """With something to do: it is killed somewhere on its way, or has ended before."""
    service.change()
    process = service.start_up()
    time.sleep(fault.lasts_s)
    os.killpg(process.pid, signal.SIGKILL)
    complete(process)


def _recover(service: ChaosService, fault: DrawnFault) -> None:
    service.recover()


def _destroy(service: ChaosService, fault: DrawnFault) -> None:
    """In the middle of a recovery, or of service, as it happens."""
    if random.Random(str(fault)).random() < 0.5:
        rank = len(service.hosts) - 1
        service.run_on(service.hosts[rank], f"docker kill sparkform-{NAME}-{rank}")
    service.destroy()


def _render_cut(verb: str, place: str) -> str:
    """What the management network brings and takes is dropped, or no longer."""
    rules = {"INPUT": "-i", "OUTPUT": "-o"}
    return " && ".join(
        f"iptables -w {verb} {chain}{place} {flag} {MANAGEMENT_DEVICE} -j DROP"
        for chain, flag in rules.items()
    )


ACTIONS: dict[FaultName, tuple[Action, Action]] = {
    "kill rank": (_run(f"docker kill sparkform-{NAME}-RANK"), _nothing),
    "kill supervisor": (_run(f"systemctl kill -s KILL {UNIT}"), _nothing),
    "kill dockerd": (_run(KILL_DOCKERD), _nothing),
    "reboot": (_break("reboot"), _mend("reboot")),
    "freeze": (_break("freeze"), _mend("freeze")),
    "link down": (_break("link-down"), _mend("link-down")),
    "management cut": (_run(_render_cut("-I", " 1")), _run(_render_cut("-D", ""))),
    "clock step": (_run(f"echo {STEP_S} > {OFFSET}"), _run(f"rm -f {OFFSET}")),
    "disk full": (_break("disk-full"), _mend("disk-full")),
    "up": (_up, _nothing),
    "killed up": (_kill_up, _recover),
    "destroy": (_destroy, _nothing),
}
