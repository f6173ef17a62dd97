"""How a service is started, watched and reached."""

from __future__ import annotations

import re
from collections.abc import Iterator

from node.host.addresses import is_loopback
from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome

ENDLESS_POLICIES = ("always", "unless-stopped", "any", "on-failure")
UNIT_RESTART = re.compile(r"^Restart=(.+)$", re.MULTILINE)
"""In the systemd unit of a native rank."""

PROBE_NAMES = ("health", "probe", "ready")


def check_restart_policy(service: ServiceView) -> Iterator[RuleOutcome]:
    """A restart loop of an engine leaks driver memory; about 35 restarts killed a node's SSH.

    Members of a service start and stop together; sparkform makes at most three attempts of the
    group.
    """
    policies = [
        (service.settings.get_argument_path(argument), argument.value or "")
        for argument in service.settings.arguments
        if argument.option in ("restart", "restart_policy")
    ]
    policies += [
        (setting.path, str(setting.value))
        for name, setting in service.variables.items()
        if name.lower().endswith("restart_policy")
    ]
    policies += [
        (service.base_path, policy)
        for launch in service.launches
        for file in launch.files
        for policy in UNIT_RESTART.findall(file.text)
    ]
    for path, policy in policies:
        # on-failure:3 has an end, on-failure alone has none.
        if policy.strip().lower() in ENDLESS_POLICIES:
            yield RuleFinding(
                path=path,
                message=(
                    "Restarts have no limit: each failed start leaks memory until the node "
                    "stops answering."
                ),
                remedy="# take the restart policy out",
            )


def check_bind_address(service: ServiceView) -> Iterator[RuleOutcome]:
    """trtllm-serve listens on localhost unless told otherwise; so NVIDIA's two-node page does.

    The API's users are elsewhere, and the readiness check asks the node's public address.
    """
    host = service.settings.find("host")
    if host is not None and is_loopback(host.text):
        yield RuleFinding(
            path=host.path,
            message=(
                "The API listens on loopback only: clients and the readiness check cannot reach it."
            ),
            remedy="bind: 0.0.0.0",
        )


def check_liveness_probe(service: ServiceView) -> Iterator[RuleOutcome]:
    """/health answers 200 while the engine hangs; only a completion shows that it lives.

    Seen with vLLM on GB10 after hours of service. sparkform asks for one token.
    """
    probes = [
        (setting.path, str(setting.value))
        for name, setting in service.variables.items()
        if any(part in name.lower() for part in PROBE_NAMES)
    ]
    probes += [
        (service.settings.get_argument_path(argument), argument.value or "")
        for argument in service.settings.arguments
        if any(part in argument.option for part in PROBE_NAMES)
    ]
    for path, value in probes:
        if "/health" in value:
            yield RuleFinding(
                path=path,
                message="/health answers 200 while the engine hangs: the probe does not notice.",
                remedy="# take the probe out; `sparkform doctor` asks for one token",
            )


SERVICE_RULES = {
    "unbounded-restart": check_restart_policy,
    "bind-host": check_bind_address,
    "liveness-probe": check_liveness_probe,
}
