"""Networks of one node or of a Swarm. None can be changed in place."""

from __future__ import annotations

import time

from pulumi_offline.plugins.docker.container_body import labels
from pulumi_offline.plugins.docker.daemon import Daemon, DaemonError, Missing, words
from pulumi_offline.plugins.docker.kind import Change, Plain
from pulumi_offline.plugins.docker.service_state import label_list
from pulumi_offline.plugins.docker.stored import found_or_none

# terraform-provider-docker: networkReadRefreshTimeout.
READ_LIMIT_S = 30.0
READ_AGAIN_S = 0.1
# terraform-provider-docker: networkRemoveRefreshTimeout.
REMOVE_LIMIT_S = 30.0
RETRY_S = 1.0


class Networks:
    """`docker:index/network:Network`."""

    def create(self, daemon: Daemon, desired: Plain) -> str:
        with words("Unable to create network: "), daemon.asked() as client:
            made = client.create_network(
                desired["name"],
                driver=desired.get("driver") or None,
                options=desired.get("options"),
                ipam=ipam(desired),
                check_duplicate=True,
                internal=desired.get("internal", False),
                labels=labels(desired.get("labels", [])),
                enable_ipv6=desired.get("ipv6", False),
                attachable=desired.get("attachable", False),
                ingress=desired.get("ingress", False),
            )
            return str(made["Id"])

    def read(self, daemon: Daemon, thing_id: str, before: Plain) -> Plain | None:
        """Waits until the Swarm has given a new network its driver and addresses."""
        deadline = time.monotonic() + READ_LIMIT_S
        while True:
            found = found_or_none(daemon, lambda client: client.inspect_network(thing_id))
            if found is None or found["Driver"]:
                return found and {**before, **network_state(found)}
            if time.monotonic() > deadline:
                raise DaemonError(f"network {thing_id} has no driver after {READ_LIMIT_S:g} s")
            time.sleep(READ_AGAIN_S)

    def update(self, daemon: Daemon, thing_id: str, change: Change) -> Plain:
        raise NotImplementedError("each change of a network replaces it")

    def delete(self, daemon: Daemon, thing_id: str, before: Plain) -> None:
        """Waits for what still uses it, for a while."""
        deadline = time.monotonic() + REMOVE_LIMIT_S
        while not self._is_removed(daemon, thing_id):
            if time.monotonic() > deadline:
                raise DaemonError(f"network {thing_id} still has active endpoints")
            time.sleep(RETRY_S)

    def _is_removed(self, daemon: Daemon, thing_id: str) -> bool:
        try:
            with daemon.asked() as client:
                client.remove_network(thing_id)
        except Missing:
            return True
        except DaemonError as error:
            if "has active endpoints" in str(error):
                return False
            raise
        return True


def ipam(desired: Plain) -> Plain:
    configs = [
        {
            "Subnet": item.get("subnet", ""),
            "IPRange": item.get("ipRange", ""),
            "Gateway": item.get("gateway", ""),
            "AuxiliaryAddresses": item.get("auxAddress", {}),
        }
        for item in desired.get("ipamConfigs", [])
    ]
    options = desired.get("ipamOptions", {})
    return {"Driver": desired["ipamDriver"], "Config": configs, "Options": options}


def network_state(found: Plain) -> Plain:
    addresses = found.get("IPAM") or {}
    return {
        "id": found["Id"],
        "name": found["Name"],
        "labels": label_list(found.get("Labels")),
        "driver": found["Driver"],
        "internal": found["Internal"],
        "attachable": found["Attachable"],
        "ingress": found["Ingress"],
        "ipv6": found["EnableIPv6"],
        "ipamDriver": addresses.get("Driver", ""),
        "ipamOptions": addresses.get("Options") or {},
        "ipamConfigs": [
            {
                "subnet": item.get("Subnet", ""),
                "ipRange": item.get("IPRange", ""),
                "gateway": item.get("Gateway", ""),
                "auxAddress": item.get("AuxiliaryAddresses") or {},
            }
            for item in addresses.get("Config") or []
        ],
        "options": found.get("Options") or {},
        "scope": found["Scope"],
    }
