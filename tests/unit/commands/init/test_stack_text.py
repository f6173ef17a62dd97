"""The stack file that init writes reads back as what was seen, whatever nodes call themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkform.commands.init.logins import NodeLogin
from sparkform.commands.init.node_names import choose_node_names
from sparkform.commands.init.proposal import describe_machine, propose_nodes
from sparkform.commands.init.stack_text import NewNode, render_scalar, render_stack_file
from sparkform.commands.init.topology import DetectedTopology
from sparkform.config import Declaration, load_stack
from sparkform.config.stack_file import MODELINE
from sparkform.config.stack_yaml import read_yaml
from tests.support.recorded import change_report, load_recording

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFRqga9NJX5YJaz2i22pDBcROTqDkpoMuPwAr3Dq4j6U"
NOTHING = DetectedTopology("none", (), ())


def load_written(folder: Path, text: str) -> Declaration:
    file = folder / "Pulumi.rack.yaml"
    file.write_text(text)
    return load_stack(file)


def test_what_was_given_and_seen_is_what_is_read_back(tmp_path: Path) -> None:
    nodes = [
        NewNode("spark-1", NodeLogin("nvidia", "10.0.0.11"), KEY, "NVIDIA GB10"),
        NewNode("spark-2", NodeLogin("ada", "fd00::12", 2222), KEY, "NVIDIA GB10"),
    ]
    detected = DetectedTopology("direct", ("spark-1: QSFP port 0 has a link",), ("one cable",))
    text = render_stack_file(nodes, detected, "~/.ssh/id_ed25519", "gate.example")
    declaration = load_written(tmp_path, text)
    first, second = declaration.nodes
    assert (first.user, first.host, first.port, first.host_key) == ("nvidia", "10.0.0.11", 22, KEY)
    assert (second.user, second.host, second.port, second.index) == ("ada", "fd00::12", 2222, 1)
    assert declaration.cluster.fabric.topology == "direct"
    assert (declaration.cluster.identity_file, declaration.cluster.proxy_jump) == (
        "~/.ssh/id_ed25519",
        "gate.example",
    )
    assert text.splitlines()[0] == MODELINE
    assert "# Observed: spark-1: QSFP port 0 has a link." in text
    assert "# Assumed: one cable." in text


def test_names_that_yaml_takes_for_something_else_stay_names(tmp_path: Path) -> None:
    for name in ("1e3", "true", "null", "12", "0x1f"):
        login = NodeLogin("nvidia", name if name != "0x1f" else "spark")
        text = render_stack_file([NewNode(name, login, KEY, "")], NOTHING, None, None)
        assert load_written(tmp_path, text).head.name == name


@given(st.text())
def test_any_text_survives_as_a_scalar(text: str) -> None:
    try:
        parsed = read_yaml(f"key: {render_scalar(text)}\n")
    except ValueError:
        pytest.fail(f"{text!r} was written as {render_scalar(text)}")
    assert parsed == {"key": text}


@given(st.text(), st.text())
def test_what_a_machine_calls_itself_never_leaves_its_comment(
    machine: str, observation: str
) -> None:
    nodes = [NewNode("spark-1", NodeLogin("nvidia", "h"), KEY, machine)]
    text = render_stack_file(nodes, DetectedTopology("none", (observation,), ()), None, None)
    expected = render_stack_file(
        [NewNode("spark-1", NodeLogin("nvidia", "h"), KEY, "x")], NOTHING, None, None
    )
    assert read_yaml(text) == read_yaml(expected)


@pytest.mark.parametrize(
    ("hostnames", "names"),
    [
        (["spark-A.local", "spark-b"], ("spark-a", "spark-b")),
        (["spark", "spark"], ("spark-1", "spark-2")),
        (["gx10_7", "b"], ("spark-1", "spark-2")),
        ([None, "b"], ("spark-1", "spark-2")),
    ],
)
def test_machines_keep_their_names_where_all_of_them_fit(
    hostnames: list[str | None], names: tuple[str, ...]
) -> None:
    assert choose_node_names(hostnames) == names


def test_a_recorded_rack_is_proposed_as_it_is() -> None:
    reports = load_recording("direct-untouched").reports
    logins = [NodeLogin("nvidia", f"10.87.153.{last_part}") for last_part in (11, 12)]
    by_login = dict(zip(map(str, logins), reports.values(), strict=True))
    keys = dict.fromkeys(by_login, KEY)
    nodes, detected, warnings = propose_nodes(logins, by_login, keys)
    assert [node.name for node in nodes] == ["spark-1", "spark-2"]
    assert (detected.topology, warnings) == ("direct", ())
    assert nodes[0].machine == "NVIDIA GB10, 23.5 GiB, DGX OS 7.5.0, driver 580.142"


def test_a_node_of_another_stack_and_one_without_interfaces_are_warned_of() -> None:
    observation = change_report(
        load_recording("direct-untouched"), "spark-1", ["facts", "claim"], "spark/lab"
    )
    observation = change_report(observation, "spark-1", ["facts", "interfaces"], None)
    observation = change_report(observation, "spark-1", ["facts", "gpu"], None)
    login = NodeLogin("nvidia", "10.87.153.11")
    reports = {str(login): observation.reports["spark-1"]}
    _, _, warnings = propose_nodes([login], reports, {str(login): KEY})
    assert warnings == (
        "spark-1 already belongs to stack spark/lab; `pulumi up` will refuse it",
        "the interfaces of spark-1 could not be read; the topology is a guess",
    )
    assert describe_machine(reports[str(login)]).startswith("no GPU")
