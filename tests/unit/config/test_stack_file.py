"""Stack files: YAML as Pulumi reads it, errors with their line, never a piece of the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sparkform.config import load_stack
from sparkform.config.stack_file import LARGEST_BYTES
from sparkform.config.stack_yaml import read_yaml
from sparkform.errors import InputError

GOOD = """\
config:
  sparkform:cluster:
    user: nvidia
    nodes: [{name: spark-1, host: 10.0.0.1}]
  sparkform:hfToken: {secure: v1:abc}
  aws:region: eu-central-1
encryptionsalt: v1:abc
"""


def load_refused(path: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_stack(path)
    return [str(problem) for problem in caught.value.problems]


def write_stack_file(folder: Path, text: str | bytes) -> Path:
    path = folder / "Pulumi.test.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_good_file_loads_and_other_programs_keys_are_theirs(tmp_path: Path) -> None:
    assert load_stack(write_stack_file(tmp_path, GOOD)).head.name == "spark-1"
    assert (
        load_stack(str(write_stack_file(tmp_path, b"\xef\xbb\xbf" + GOOD.encode()))).services == {}
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "config:\n  sparkform:cluster:\n    user: a\n    user: b\n",
            "Pulumi.test.yaml:4: is not a readable stack file: found a key that is already in "
            "this mapping",
        ),
        ("config: [\n", "Pulumi.test.yaml:2: is not a readable stack file: did not f"),
        ("config: {a: &x 1,\n b: *x}\n", "Pulumi.test.yaml:2: is not a readable stack file"),
        ("a: 1\n? [b]\n: 2\n", "Pulumi.test.yaml:2: is not a readable stack file: found"),
        ("a:\n  !!python/name:os.system x\n", "Pulumi.test.yaml:2: is not a readable stack file"),
        ("a: 1\nb: !!int c\n", "Pulumi.test.yaml:2: is not a readable stack file: expect"),
        ("a: 1\n--- \nb: 2\n", "Pulumi.test.yaml:2: is not a readable stack file: but f"),
        ("a: 1\nb: \x01\n", "Pulumi.test.yaml:2: contains a character that YAML does not allow"),
        (b"a: 1\nb: \xff\n", "Pulumi.test.yaml:2: is not UTF-8 text"),
        ("[" * 5000, "Pulumi.test.yaml:1: is not a readable stack file: found nesting"),
        ("", "Pulumi.test.yaml: must be a mapping with the key config (got nothing)"),
        ("- 1\n", "Pulumi.test.yaml: must be a mapping with the key config (got a list of 1)"),
        ("config: 5\n", "Pulumi.test.yaml: config: must be a mapping with the key sparkform:clust"),
        ("a: b\n", "Pulumi.test.yaml: config: must be a mapping with the key sparkform:cluster"),
        ("config: {}\n", "cluster: is missing"),
        ("#" * (LARGEST_BYTES + 1), "Pulumi.test.yaml: is larger than 256 KiB"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(
    tmp_path: Path, text: str | bytes, expected: str
) -> None:
    (message,) = load_refused(write_stack_file(tmp_path, text))
    assert message.startswith(expected)


def test_a_yaml_error_shows_no_piece_of_the_file(tmp_path: Path) -> None:
    (message,) = load_refused(write_stack_file(tmp_path, "config:\n  token: [hf_canary\n"))
    assert "hf_canary" not in message


@pytest.mark.parametrize("name", ["missing.yaml", "", "a\0b"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, name: str) -> None:
    (message,) = load_refused(tmp_path / name)
    shown = str(tmp_path / name).replace("\0", "\\x00")
    assert message.startswith(f"{shown}: cannot be read: ")


def test_a_secret_without_a_cipher_is_not_encrypted(tmp_path: Path) -> None:
    text = GOOD.replace("{secure: v1:abc}", "{secure: null}")
    (message,) = load_refused(write_stack_file(tmp_path, text))
    assert message.startswith("config.sparkform:hfToken: is not encrypted")


def test_unknown_top_level_keys_and_plain_secrets_come_with_all_else(tmp_path: Path) -> None:
    text = GOOD.replace("{secure: v1:abc}", "hf_canary").replace("user: nvidia", "user: Root")
    messages = load_refused(
        write_stack_file(
            tmp_path,
            text + "",
        )
    )
    assert [message.split(":")[0] for message in messages] == ["config.sparkform", "cluster.user"]
    assert not any("hf_canary" in message for message in messages)
    (message,) = load_refused(write_stack_file(tmp_path, GOOD.replace(":hfToken", ":hfTken")))
    assert message.endswith("did you mean sparkform:hfToken?")


# What `pulumi config get` printed for these scalars (Pulumi 3.259.0, run for this table).
SCALARS: list[tuple[str, Any]] = [
    ("235e9", 235e9),
    ("1_000", 1000),
    ("010", 8),
    ("yes", "yes"),
    ("0o17", 15),
    ("1:20", "1:20"),
    ("off", "off"),
    ("0x1F", 31),
    ("~", None),
    ("null", None),
    ("NULL", None),
    ("", None),
    ("True", True),
    ("1e3", 1000.0),
    ("12.10", 12.1),
    ("!!str 5", "5"),
    ("128.0", 128.0),
    ("99999999999999999999999", 1e23),
    ('"x"', "x"),
    ("0b11", 3),
    ("+5", 5),
    ("-0", 0),
    ("5.", 5.0),
    ("''", ""),
    ("1__0", 10),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_a_scalar_means_what_pulumi_takes_it_for(text: str, value: object) -> None:
    read = read_yaml(f"a: {text}")
    assert read == {"a": value}
    assert isinstance(read, dict)
    assert isinstance(read["a"], bool) is isinstance(value, bool)


@pytest.mark.parametrize("text", ["9" * 5000, "-" + "9" * 5000, "1e999", ".inf", "-.INF"])
def test_a_number_beyond_all_bounds_is_infinite_and_refused_later(text: str) -> None:
    read = read_yaml(f"a: {text}")
    assert isinstance(read, dict)
    assert abs(read["a"]) == float("inf")
