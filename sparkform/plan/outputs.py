"""The stack's outputs: a URL for scripts, and a few lines for people, who see them after a run.

What else is known of nodes and services, `sparkform plan --json` and `sparkform status` tell. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from sparkform.config import Declaration
from sparkform.plan.rack_plan import RackPlan
from sparkform.plan.readiness import build_api_url

API = "/v1"
"""Where both engines serve OpenAI's API."""
LINES = 5


def build_outputs(declaration: Declaration, plan: RackPlan) -> dict[str, object]:
    """`apiUrl` is that of the first service; nothing where nothing is served."""
    urls = list_service_urls(declaration, plan)
    if not urls:
        return {}
    lines = [*_describe_services(declaration, urls), *_describe_unproven(plan)]
    return {"apiUrl": next(iter(urls.values())), "summary": lines}


def list_service_urls(declaration: Declaration, plan: RackPlan) -> dict[str, str]:
    """Where each service is served, by its name."""
    return {name: build_api_url(declaration, name, plan.network) + API for name in plan.services}


def _describe_services(declaration: Declaration, urls: dict[str, str]) -> list[str]:
    lines = [f"{name}: {declaration.get_served_name(name)} at {url}" for name, url in urls.items()]
    if len(lines) <= LINES:
        return lines
    kept = lines[: LINES - 1]
    return [*kept, f"and {len(lines) - len(kept)} more services"]


def _describe_unproven(plan: RackPlan) -> Iterator[str]:
    launches = [launch for ranks in plan.launches.values() for launch in ranks]
    count = len({remark for launch in launches for remark in launch.unproven})
    if count:
        noun = "point is" if count == 1 else "points are"
        yield f"unproven on real Sparks: {count} {noun} named by `sparkform plan`"
