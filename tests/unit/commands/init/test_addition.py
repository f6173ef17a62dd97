"""Nodes that are written into a stack file that is there: the rest of it stays as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparkform.commands.init.addition import AddedNodes, add_nodes
from sparkform.commands.init.logins import NodeLogin
from sparkform.commands.init.rack_key import RACKS, find_rack_key
from sparkform.commands.init.stack_text import NewNode, render_stack_file
from sparkform.commands.init.topology import DetectedTopology
from sparkform.config import load_stack
from sparkform.errors import InputError
from sparkrack.paths import get_identity_file, get_known_hosts_file, get_runtime_folder

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFRqga9NJX5YJaz2i22pDBcROTqDkpoMuPwAr3Dq4j6U"
NEW = NewNode("spark-3", NodeLogin("ada", "10.0.0.13", 2222), KEY, "NVIDIA GB10")
ADDED = AddedNodes([NEW], 2, "nvidia")
BY_HAND = """\
# mine
config:
  sparkform:services: {}
  sparkform:cluster:
    fabric: {topology: direct}   # a cable
    user: nvidia
    nodes:
    - {name: a, host: 10.0.0.11}
    # the second
    - name: b
      host: 10.0.0.12
      index: 1

    # below the nodes
    swapOff: false
  other:key: |
    text
"""


def write_pair() -> str:
    nodes = [
        NewNode(f"spark-{number}", NodeLogin("nvidia", f"10.0.0.1{number}"), KEY, "NVIDIA GB10")
        for number in (1, 2)
    ]
    return render_stack_file(nodes, DetectedTopology("direct", (), ()), None, None)


@pytest.mark.parametrize("text", [write_pair(), BY_HAND], ids=["of init", "by hand"])
def test_every_line_stays_and_the_node_is_read_back(tmp_path: Path, text: str) -> None:
    file = tmp_path / "Pulumi.lab.yaml"
    file.write_text(add_nodes(text, ADDED, "ring"))
    declaration = load_stack(file)
    assert len(declaration.nodes) == 3
    last = declaration.nodes[-1]
    assert (last.name, last.host, last.port, last.user) == ("spark-3", "10.0.0.13", 2222, "ada")
    assert (last.index, last.host_key) == (2, KEY)
    assert declaration.cluster.fabric.topology == "ring"
    same_lines = [line for line in file.read_text().splitlines() if line in text.splitlines()]
    changed = [line for line in text.splitlines() if line not in same_lines]
    assert len(changed) == 1, "the fabric's line alone"
    assert "direct" in changed[0]


def test_without_another_fabric_nothing_but_the_node_is_new() -> None:
    text = write_pair()
    lines, new_lines = text.splitlines(), add_nodes(text, ADDED).splitlines()
    start = next(index for index, line in enumerate(new_lines) if line not in lines[index:])
    count = len(new_lines) - len(lines)
    assert new_lines[:start] + new_lines[start + count :] == lines


@given(st.lists(st.sampled_from(["", "  # note", "      # note"]), max_size=4))
def test_comments_and_blank_lines_below_the_nodes_stay_below(between: list[str]) -> None:
    marker = "\n    # below the nodes"
    text = BY_HAND.replace(marker, "\n".join(["", *between]) + marker)
    assert add_nodes(text, ADDED).index("spark-3") < add_nodes(text, ADDED).index("below the nodes")


def test_a_file_without_a_last_line_break_gets_one() -> None:
    text = "config:\n  sparkform:cluster:\n    user: u\n    nodes:\n    - name: a\n      host: h"
    assert add_nodes(text, ADDED).startswith(f"{text}\n    # NVIDIA GB10\n    - name: spark-3\n")


@pytest.mark.parametrize(
    "text",
    [
        "config: {sparkform:cluster: {nodes: [{name: a, host: h}]}}\n",
        "config:\n  sparkform:cluster:\n    user: u\n",
    ],
)
def test_a_list_in_one_line_is_left_to_its_writer(text: str) -> None:
    with pytest.raises(InputError, match="by hand"):
        add_nodes(text, ADDED)


def write_rack(folder: Path, name: str, *hosts: str) -> Path:
    (folder / name).mkdir()
    (folder / name / "known_hosts").write_text("".join(f"{host} {KEY}\n" for host in hosts))
    key = folder / name / "id_ed25519"
    key.write_text("")
    return key


def test_the_key_is_that_of_the_rack_whose_nodes_all_are(tmp_path: Path) -> None:
    write_rack(tmp_path, "demo", "10.87.1.11")
    key = write_rack(tmp_path, "rack", "10.87.2.11", "10.87.2.12")
    logins = [NodeLogin("nvidia", f"10.87.2.1{number}") for number in (1, 2)]
    assert find_rack_key(logins, tmp_path) == key
    assert find_rack_key([*logins, NodeLogin("nvidia", "10.87.1.11")], tmp_path) is None
    assert find_rack_key([NodeLogin("nvidia", "10.0.0.1")], tmp_path) is None
    key.unlink()
    assert find_rack_key(logins, tmp_path) is None
    assert find_rack_key(logins, tmp_path / "none") is None


def test_a_rack_keeps_its_key_where_it_is_sought() -> None:
    assert get_runtime_folder() == RACKS
    assert get_identity_file("x") == RACKS / "x" / "id_ed25519"
    assert get_known_hosts_file("x") == RACKS / "x" / "known_hosts"
