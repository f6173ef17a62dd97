from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from node.files import yaml_blocks

FILE = """# the playbook wrote this
network:
  version: 2
  renderer: NetworkManager
  ethernets:
    enp1s0f0np0:  # half A
      dhcp4: no
      addresses:
        - 192.168.77.10/24   # kept by hand

    # the other half
    enP2p1s0f0np0:
      dhcp4: no
    enP7s7: {dhcp4: true}
"""
HALF_A = ["network", "ethernets", "enp1s0f0np0"]
NAMES = ["enp1s0f0np0", "enP2p1s0f0np0", "enP7s7"]


def test_a_key_is_cut_with_all_its_lines_and_nothing_else() -> None:
    remaining, edit = yaml_blocks.cut_key(FILE, HALF_A)
    assert "half A" not in remaining
    assert "# the other half" in remaining
    assert edit["before"] == "".join(FILE.splitlines(keepends=True)[5:9])


@given(st.permutations(NAMES), st.integers(1, 3))
def test_keys_cut_in_any_order_come_back_in_value(order, count) -> None:
    text, edits = FILE, []
    for name in order[:count]:
        text, edit = yaml_blocks.cut_key(text, ["network", "ethernets", name])
        edits.append(edit)
    assert set(order[:count]).isdisjoint(yaml.safe_load(text)["network"].get("ethernets", {}))
    reverted = yaml_blocks.revert_edits(text + "\n# theirs\n", edits)
    assert reverted.changed == []
    assert yaml.safe_load(reverted.text or "") == yaml.safe_load(FILE)
    assert "# theirs" in (reverted.text or "")


def test_the_last_key_takes_its_empty_parent_along_but_never_the_renderer() -> None:
    text = FILE
    for name in NAMES:
        text, _ = yaml_blocks.cut_key(text, ["network", "ethernets", name])
    assert yaml.safe_load(text) == {"network": {"version": 2, "renderer": "NetworkManager"}}


def test_a_key_that_others_wrote_anew_is_left_and_named() -> None:
    remaining, edit = yaml_blocks.cut_key(FILE, HALF_A)
    rewritten = remaining.replace(
        "  ethernets:\n", "  ethernets:\n    enp1s0f0np0: {dhcp4: true}\n"
    )
    reverted = yaml_blocks.revert_edits(rewritten, [edit])
    assert reverted.text == rewritten
    assert reverted.changed == ["network.ethernets.enp1s0f0np0 (rewritten by others)"]


@pytest.mark.parametrize(
    "text",
    [
        "network: {ethernets: {enp1s0f0np0: {dhcp4: no}}, version: 2}\n",
        "network:\n  ethernets: {enp1s0f0np0: {dhcp4: no}, x: {}}\n",
        "network:\n  ethernets:\n    enp1s0f0np0: &a\n      dhcp4: no\n    x: *a\n",
    ],
    ids=["all in braces", "in braces", "shared anchor"],
)
def test_what_cannot_be_cut_by_lines_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"network|alias"):
        yaml_blocks.cut_key(text, HALF_A)


def test_damaged_yaml_is_said_in_one_line() -> None:
    with pytest.raises(ValueError, match=r"^it is not valid YAML: [^\n]+$"):
        yaml_blocks.load("network: [")
