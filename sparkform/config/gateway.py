"""The block `sparkform:gateway`: one address with keys and TLS for all services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from sparkform.config import values
from sparkform.config.section import Section


class GatewayLimits(Section):
    """What one key may ask, and how long anything may last."""

    requests_at_once: values.Count = Field(64, description="Most requests of one key at once.")
    requests_per_minute: values.Count = Field(
        6000, description="Most requests of one key within a minute."
    )
    body_mib: values.BodyMib = Field(32, description="Largest body of a request.")
    body_seconds: values.Seconds = Field(60, description="Longest wait for a request's body.")
    answer_seconds: values.Seconds = Field(
        1800, description="Longest wait for an answer's next byte: prefill of a long prompt."
    )
    drain_seconds: values.Seconds = Field(
        1800, description="How long requests under way may go on after a change of the gateway."
    )


class GatewayTls(Section):
    """How the gateway proves who it is."""

    certificate: Literal["made", "own", "none"] = Field(
        "made",
        description="made: a private CA on the node makes it, and the CA's certificate is an "
        "output; own: the secrets gatewayCertificate and gatewayCertificateKey; none: keys and "
        "prompts travel in clear.",
    )
    names: tuple[values.HostName, ...] = Field(
        (), description="Further host names and addresses of a certificate that is made."
    )


class Gateway(Section):
    """One address for all services."""

    node: values.NodeName | None = Field(
        None, description="The node that it runs on.", json_schema_extra={"absent": "the head"}
    )
    address: values.ListenAddress = Field("0.0.0.0", description="Address that clients connect to.")
    port: values.Port = Field(8443, description="Port that clients connect to.")
    metrics_port: values.Port = Field(
        9101, description="Port of its own metrics; only the monitoring node may read them."
    )
    tls: GatewayTls = Field(
        default_factory=GatewayTls, description="How the gateway proves who it is."
    )
    aliases: Mapping[values.ModelHandle, values.ServiceName] = Field(
        default_factory=dict, description="Further names of models: the name, and its service."
    )
    limits: GatewayLimits = Field(
        default_factory=GatewayLimits, description="What one key may ask."
    )
    image: values.Image = Field(
        "haproxy:3.2.21-alpine3.24@sha256:"
        "66e25cc9a8332635f4e897f7f4b1e5622c25f09f0ee23cddc6ce9bdb3a24772a",
        description="Container image of HAProxy, at least 2.6 with Lua.",
    )
