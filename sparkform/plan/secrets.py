"""The stack's secrets as the planner may know them: their names, and whether a node has another
value. Values are compared by a slow, salted digest that the node makes, and are kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from node.host.plain import mapping
from node.steps.launch_files import proof
from sparkform.fabric.network import Documents
from sparkform.launch.records import Launch


@dataclass(frozen=True)
class Secrets:
    """`names` are all that the stack has; `values` those that whoever plans has in clear, which
    `sparkform plan` has not: what it cannot compare counts as the same."""

    names: frozenset[str] = frozenset()
    values: Mapping[str, str] = field(default_factory=dict, repr=False)

    def stale(self, launches: Sequence[Launch], documents: Documents) -> tuple[str, ...]:
        """The secrets of which some node of the service has another value."""
        found = {
            file.secret
            for launch in launches
            for file in launch.secrets
            if self._differs(file.secret, _seen(launch, file.source, documents))
        }
        return tuple(sorted(found))

    def _differs(self, name: str, seen: Mapping[str, object]) -> bool:
        if name not in self.values or "proof" not in seen:
            return False
        return proof(self.values[name], bytes.fromhex(str(seen.get("salt")))) != seen["proof"]


NO_SECRETS = Secrets()


def _seen(launch: Launch, path: str, documents: Documents) -> Mapping[str, object]:
    step = f"launch_files:{launch.service}"
    found = documents[launch.node].steps.get(step) if launch.node in documents else None
    return mapping(mapping(mapping(found).get("secrets")).get(path))
