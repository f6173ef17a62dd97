"""What the gateway serves: each model's name with the endpoints behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sparkform.config.gateway import GatewayLimits


@dataclass(frozen=True)
class Agent:
    """Where a supervisor says whether its service may be asked (`agent-check`)."""

    address: str
    port: int


@dataclass(frozen=True)
class EngineEndpoint:
    """One engine that answers. `agent`: None where nobody supervises it."""

    address: str
    port: int
    agent: Agent | None = None


@dataclass(frozen=True)
class ModelRoute:
    """A model's name and all that serve it alike. `name` is the service's."""

    name: str
    served_name: str
    endpoints: tuple[EngineEndpoint, ...]


@dataclass(frozen=True)
class Listen:
    address: str
    port: int


@dataclass(frozen=True)
class GatewaySetup:
    """`aliases`: a further name of a route's model, by that name. `readers`: the addresses that may
    read metrics."""

    routes: tuple[ModelRoute, ...]
    listen: Listen
    metrics: Listen
    is_tls: bool
    has_engine_key: bool
    limits: GatewayLimits
    aliases: Mapping[str, str] = field(default_factory=dict)
    readers: tuple[str, ...] = ()

    def map_models(self) -> dict[str, str]:
        """Every name that a request may have, to the route's."""
        served = {route.served_name: route.name for route in self.routes}
        return served | dict(self.aliases)

    def map_served_names(self) -> dict[str, str]:
        """Every alias, to the name that the engine knows."""
        served = {route.name: route.served_name for route in self.routes}
        return {alias: served[name] for alias, name in self.aliases.items()}
