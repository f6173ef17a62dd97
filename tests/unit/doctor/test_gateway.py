"""What doctor says of a gateway: its processes, its certificate, and who may reach what."""

from __future__ import annotations

import pytest

from node.host.typed_json import to_fields
from node.steps import gateway
from sparkform.config import parse_config
from sparkform.doctor import Check
from sparkform.doctor.required_ports import list_required_ports
from sparkform.gateway.paths import PROGRAMS, get_container_name
from tests.support.recorded import STACK, build_rack_declaration, change_report
from tests.unit.doctor.support import diagnose_recording, get_row, list_rows
from tests.unit.doctor.test_engines import build_ready_state, record_ready_states
from tests.unit.doctor.test_required_ports import SERVICE, build_view

NAMES = [get_container_name(program) for program in PROGRAMS]


def diagnose(
    stopped: str | None = None,
    is_valid: bool = True,
    certificate: str = "made",
    are_read: bool = True,
) -> tuple[Check, ...]:
    """The first node of a rack runs the gateway; its second one runs nothing of it."""
    observation = record_ready_states(build_ready_state([]), build_ready_state([]))
    containers: list[dict[str, object]] = [
        {
            "id": name,
            "name": name,
            "image": "haproxy",
            "state": "exited" if name == stopped else "running",
            "labels": {},
        }
        for name in NAMES
    ]
    observed = gateway.Observed(secrets={gateway.TLS: "0600"}, is_valid=is_valid)
    changes = {
        ("facts", "claim"): str(STACK),
        ("facts", "containers"): containers if are_read else None,
        ("steps", "gateway"): to_fields(observed),
    }
    for path, value in changes.items():
        observation = change_report(observation, "spark-1", list(path), value)
    cluster = build_rack_declaration().cluster.to_plain()
    block = {"tls": {"certificate": certificate}}
    return diagnose_recording(observation, parse_config(cluster, {}, None, block))


def test_processes_that_run_and_a_certificate_that_holds_are_sound() -> None:
    rows = diagnose()
    assert get_row(rows, "spark-1", "gateway").status == "ok"
    assert get_row(rows, "spark-1", "gateway certificate").status == "ok"
    assert list_rows(rows, "spark-2", "gateway") == []


@pytest.mark.parametrize("stopped", NAMES)
def test_a_process_that_does_not_run_is_named(stopped: str) -> None:
    row = get_row(diagnose(stopped), "spark-1", "gateway")
    assert row.status == "fail"
    assert f"{stopped} (exited)" in row.message
    assert f"docker logs {stopped}" in str(row.fix)


def test_what_was_not_read_is_not_judged() -> None:
    assert list_rows(diagnose(are_read=False), "spark-1", "gateway") == []


@pytest.mark.parametrize(
    ("certificate", "fix"), [("made", "`pulumi up`"), ("own", "set sparkform:gatewayCertificate")]
)
def test_a_certificate_that_ends_soon_says_who_renews_it(certificate: str, fix: str) -> None:
    row = get_row(
        diagnose(is_valid=False, certificate=certificate), "spark-1", "gateway certificate"
    )
    assert row.status == "warn"
    assert fix in str(row.fix)
    assert list_rows(diagnose(certificate="none"), "spark-1", "gateway certificate") == []


def test_behind_a_gateway_it_alone_must_reach_an_engine() -> None:
    cluster = build_rack_declaration().cluster.to_plain()
    service = {"chat": SERVICE | {"nodes": ["spark-2"]}}
    behind = parse_config(cluster, service, {}, {})

    def list_ports(node: str) -> list[str]:
        return [str(port) for port in list_required_ports(build_view(node, behind))]

    assert "8443/tcp from anywhere (gateway)" in list_ports("spark-1")
    assert "8443/tcp from anywhere (gateway)" not in list_ports("spark-2")
    assert "8000/tcp from 10.87.153.11 (chat, from the gateway)" in list_ports("spark-2")
    assert not [port for port in list_ports("spark-2") if port.startswith("8000/tcp from anywhere")]
