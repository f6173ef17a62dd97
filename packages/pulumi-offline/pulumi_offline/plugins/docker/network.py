"""Networks of one node or of a Swarm. None can be changed in place."""

from __future__ import annotations

import time

from pulumi_offline.plugins.docker.container_body import build_labels
from pulumi_offline.plugins.docker.daemon import Daemon, DaemonError, Missing, translate_errors
from pulumi_offline.plugins.docker.kind import Change, Plain
from pulumi_offline.plugins.docker.service_state import read_label_list
from pulumi_offline.plugins.docker.stored import find_or_none

# terraform-provider-docker: networkReadRefreshTimeout.
READ_LIMIT_S = 30.0
READ_AGAIN_S = 0.1
# terraform-provider-docker: networkRemoveRefreshTimeout.
REMOVE_LIMIT_S = 30.0
RETRY_S = 1.0


class Networks:
    """`docker:index/network:Network`."""

    def create(self, daemon: Daemon, desired: Plain) -> str:
        with translate_errors("Unable to create network: "), daemon.open_client() as client:
            result = client.create_network(
                desired["name"],
                driver=desired.get("driver") or None,
                options=desired.get("options"),
                ipam=build_ipam(desired),
                check_duplicate=True,
                internal=desired.get("internal", False),
                labels=build_labels(desired.get("labels", [])),
                enable_ipv6=desired.get("ipv6", False),
                attachable=desired.get("attachable", False),
                ingress=desired.get("ingress", False),
            )
            return str(result["Id"])

    def read(self, daemon: Daemon, thing_id: str, before: Plain) -> Plain | None:
        """Waits until the Swarm has given a new network its driver and addresses."""
        deadline = time.monotonic() + READ_LIMIT_S
        while True:
            document = find_or_none(daemon, lambda client: client.inspect_network(thing_id))
            if document is None or document["Driver"]:
                return document and {**before, **read_network_state(document)}
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
            with daemon.open_client() as client:
                client.remove_network(thing_id)
        except Missing:
            return True
        except DaemonError as error:
            if "has active endpoints" in str(error):
                return False
            raise
        return True


def build_ipam(desired: Plain) -> Plain:
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


def read_network_state(document: Plain) -> Plain:
    addresses = document.get("IPAM") or {}
    return {
        "id": document["Id"],
        "name": document["Name"],
        "labels": read_label_list(document.get("Labels")),
        "driver": document["Driver"],
        "internal": document["Internal"],
        "attachable": document["Attachable"],
        "ingress": document["Ingress"],
        "ipv6": document["EnableIPv6"],
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
        "options": document.get("Options") or {},
        "scope": document["Scope"],
    }
