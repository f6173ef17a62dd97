"""vLLM with Ray."""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.rules.context import ServiceView
from sparkform.rules.outcome import RuleFinding, RuleOutcome, RuleSkip
from sparkform.versions import Version


def _uses_ray(service: ServiceView) -> bool:
    return service.spans_nodes and service.settings.get_text("launcher") == "ray"


def check_ray_in_image(service: ServiceView) -> Iterator[RuleOutcome]:
    """Images come without Ray: vLLM's own since 0.19.1, NVIDIA's since 26.04.

    The playbook installs it with pip at each start, which needs the internet and pins nothing.
    """
    if not _uses_ray(service) or service.image is None:
        return
    has_ray = _find_ray(service)
    if has_ray is None:
        reason = f"the catalogue does not know whether {service.image.tagged} has Ray"
        yield RuleSkip(path=service.get_path("image"), reason=reason)
    elif has_ray is False:
        yield RuleFinding(
            path=service.settings.get_path("launcher"),
            message="The image has no Ray.",
            remedy="launcher: mp",
        )


def _find_ray(service: ServiceView) -> bool | None:
    """What the catalogue says of this image, or of its repository since some version."""
    figure = service.find_image_figure("ray")
    if isinstance(figure, bool):
        return figure
    repository = service.repository
    first = (
        Version(repository.without_ray_from) if repository and repository.without_ray_from else None
    )
    oldest = service.engine_version.oldest if service.engine_version else None
    return False if first and oldest and oldest.release >= first.release else None


def check_ray_memory_monitor(service: ServiceView) -> Iterator[RuleOutcome]:
    """Ray kills workers when the node's memory is 95 % full, which unified memory always is.

    RAY_memory_monitor_refresh_ms=0 switches the monitor off; the launch sets it, your own value
    wins. Only one guide uses RAY_memory_usage_threshold, which is real too.
    """
    monitor = service.variables.get("RAY_memory_monitor_refresh_ms")
    if _uses_ray(service) and monitor is not None and monitor.number != 0:
        yield RuleFinding(
            path=service.get_path("environment.RAY_memory_monitor_refresh_ms"),
            message=(
                "Ray's memory monitor kills workers once the node's memory is 95 % full, "
                "which a loaded model always makes it."
            ),
            remedy='environment: {RAY_memory_monitor_refresh_ms: "0"}',
        )


def check_ray_on_ring(service: ServiceView) -> Iterator[RuleOutcome]:
    """Ray places ranks by addresses that a ring's nodes do not all share."""
    if _uses_ray(service) and service.context.topology == "ring":
        yield RuleFinding(
            path=service.settings.get_path("launcher"),
            message="Ray cannot join a ring: its nodes have no fabric address in common.",
            remedy="launcher: mp",
        )


def check_ray_copies(service: ServiceView) -> Iterator[RuleOutcome]:
    """Data parallelism by Ray is refused by the tools that run vLLM on Sparks."""
    if _uses_ray(service) and service.count_ranks("data_parallel") > 1:
        yield RuleFinding(
            path=service.settings.get_path("data_parallel"),
            message="Ray cannot run copies of the model over several Sparks.",
            remedy="launcher: mp",
        )


SERVICE_RULES = {
    "vllm-ray-missing": check_ray_in_image,
    "vllm-ray-memory": check_ray_memory_monitor,
    "ray-ring": check_ray_on_ring,
    "vllm-dp-ray": check_ray_copies,
}
