"""How a service is started, watched and reached."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import Finding, Outcome

BOUNDLESS = ("always", "unless-stopped", "any", "on-failure")
LOOPBACK = ("127.", "localhost", "::1")
PROBES = ("health", "probe", "ready")


def restart(service: ServiceView) -> Iterator[Outcome]:
    """A restart loop of an engine leaks driver memory; about 35 restarts killed a node's SSH.

    Members of a service start and stop together and restart none by themselves; three attempts of
    the group are the most that sparkform makes.
    """
    places = [
        (service.settings.argument_path(one), one.value or "")
        for one in service.settings.arguments
        if one.option in ("restart", "restart_policy")
    ]
    places += [
        (setting.path, str(setting.value))
        for name, setting in service.variables.items()
        if name.lower().endswith("restart_policy")
    ]
    ranks = (service.context.ranks or {}).get(service.name, ())
    places += [(service.base, rank.restart) for rank in ranks]
    for place, policy in places:
        # on-failure:3 has an end, on-failure alone has none.
        if policy.strip().lower() in BOUNDLESS:
            yield Finding(
                path=place,
                message="The service must not restart without an end, as each failed start leaks "
                "memory until the node stops answering.",
                remedy="# take the restart policy out",
            )


def listening(service: ServiceView) -> Iterator[Outcome]:
    """trtllm-serve listens on localhost unless told otherwise; so NVIDIA's two-node page does.

    The API's users are elsewhere, and the readiness check asks the node's public address.
    """
    host = service.settings.get("host")
    if host is not None and host.text.startswith(LOOPBACK):
        yield Finding(
            path=host.path,
            message="The service must listen where its users and its readiness check are, which is "
            "not its own node's loopback address.",
            remedy="bind: 0.0.0.0",
        )


def liveness(service: ServiceView) -> Iterator[Outcome]:
    """/health answers 200 while the engine hangs; only a completion shows that it lives.

    Seen with vLLM on GB10 after hours of service. sparkform asks for one token.
    """
    places = [
        (setting.path, str(setting.value))
        for name, setting in service.variables.items()
        if any(part in name.lower() for part in PROBES)
    ]
    places += [
        (service.settings.argument_path(one), one.value or "")
        for one in service.settings.arguments
        if any(part in one.option for part in PROBES)
    ]
    for place, value in places:
        if "/health" in value:
            yield Finding(
                path=place,
                message="The service must be probed by a completion, as /health stays at 200 "
                "while the engine hangs.",
                remedy="# take the probe out; `sparkform doctor` asks for one token",
            )


SERVICE_RULES = {
    "unbounded-restart": restart,
    "bind-host": listening,
    "liveness-probe": liveness,
}
