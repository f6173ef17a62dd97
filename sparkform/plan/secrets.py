"""The stack's secrets as the planner may know them: their names, and whether a node has another
value. Values are compared by a slow, salted digest that the node makes, and are kept nowhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from node.host.plain import as_mapping
from node.steps.launch_files import compute_proof
from sparkform.fabric.network import Reports
from sparkform.launch.records import Launch


@dataclass(frozen=True)
class StackSecrets:
    """`names` are all that the stack has, where `are_known`; `values` those that whoever plans has
    in clear, which `sparkform plan` has not: what it cannot compare counts as the same."""

    names: frozenset[str] = frozenset()
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    are_known: bool = True

    def list_stale(self, launches: Sequence[Launch], reports: Reports) -> tuple[str, ...]:
        """The secrets of which some node of the service has another value."""
        names = {
            file.secret
            for launch in launches
            for file in launch.secrets
            if self._is_different(file.secret, _get_reported_secret(launch, file.source, reports))
        }
        return tuple(sorted(names))

    def _is_different(self, name: str, reported: Mapping[str, object]) -> bool:
        if name not in self.values or "proof" not in reported:
            return False
        return (
            compute_proof(self.values[name], bytes.fromhex(str(reported.get("salt"))))
            != reported["proof"]
        )


NO_SECRETS = StackSecrets(are_known=False)


def _get_reported_secret(launch: Launch, path: str, reports: Reports) -> Mapping[str, object]:
    step = f"launch_files:{launch.service}"
    state = reports[launch.node].steps.get(step) if launch.node in reports else None
    return as_mapping(as_mapping(as_mapping(state).get("secrets")).get(path))
