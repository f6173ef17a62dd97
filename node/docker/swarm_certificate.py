"""The id of the Swarm in a node's certificate. Pure.

Docker gives a cluster's id to managers only; on a worker it is the organisation in the node's
certificate (docs.docker.com, "How PKI works in swarm mode").
"""

from __future__ import annotations

import base64
import re

CERTIFICATE = "swarm/certificates/swarm-node.crt"
"""Below Docker's root directory."""

# DER: object identifier 2.5.4.10 (organizationName), then a text of 25 characters.
_ORGANISATION = re.compile(rb"\x06\x03\x55\x04\x0a[\x0c\x13]\x19([0-9a-z]{25})", re.DOTALL)


def parse_cluster_id(certificate: str | None) -> str | None:
    """None where the text is no certificate of a Swarm node."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    body = (certificate or "").partition(begin)[2].partition(end)[0]
    try:
        organisation = _ORGANISATION.search(base64.b64decode(body))
    except ValueError:
        return None
    return organisation.group(1).decode("ascii") if organisation else None
