"""YAML as Pulumi reads it, into plain data, with a line number for what cannot be read.

PyYAML speaks YAML 1.1 and Pulumi (go-yaml 3) nearly 1.2: `yes` and `1:20` are text there, 235e9 is
a number. Unlike Pulumi, aliases are refused (docs/design/config-and-rules.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any, NoReturn

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.events import AliasEvent, Event
from yaml.nodes import MappingNode, Node, ScalarNode
from yaml.reader import Reader, ReaderError
from yaml.resolver import BaseResolver

DEEPEST = 40
LARGEST_INTEGER_DIGITS = 19
"""What go-yaml keeps as an integer; longer ones become floats there and here."""

CORE = "tag:yaml.org,2002:"
RESOLVERS = (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)", "-+0123456789"),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
)


class StackYamlError(yaml.MarkedYAMLError):
    """Something that YAML allows and a stack file does not."""


def refuse(problem: str, node: Node) -> NoReturn:
    """Stop reading at `node`."""
    raise StackYamlError(problem=problem, problem_mark=node.start_mark)


class StackLoader(Composer, SafeConstructor, BaseResolver):
    """Plain data only, no aliases, no duplicate keys, a limit to nesting.

    The events come from libyaml where PyYAML was built with it: twenty times faster.
    """

    depth = 0

    def __init__(self, text: str) -> None:
        Composer.__init__(self)
        SafeConstructor.__init__(self)
        BaseResolver.__init__(self)
        self.events = yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.next_event: Event | None = next(self.events, None)

    def peek_event(self) -> Event | None:
        return self.next_event

    def check_event(self, *kinds: type[Event]) -> bool:
        return self.next_event is not None and isinstance(self.next_event, kinds or Event)

    def get_event(self) -> Event | None:
        event, self.next_event = self.next_event, next(self.events, None)
        return event

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        if self.check_event(AliasEvent) or self.depth > DEEPEST:
            reason = "nesting that is too deep" if self.depth > DEEPEST else "an alias"
            problem = f"found {reason}, which a stack file must not contain"
            mark = getattr(self.next_event, "start_mark", None)
            raise StackYamlError(problem=problem, problem_mark=mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1

    def construct_mapping(self, node: Node, deep: bool = False) -> dict[Hashable, Any]:
        if not isinstance(node, MappingNode):
            refuse("expected a mapping", node)
        result: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                refuse("found a list or a mapping as a key", key_node)
            if key in result:
                refuse("found a key that is already in this mapping", key_node)
            result[key] = self.construct_object(value_node, deep=deep)
        return result


def _read_scalar(loader: StackLoader, node: Node) -> str:
    if not isinstance(node, ScalarNode):
        refuse("expected a single value", node)
    return str(loader.construct_scalar(node))


def _construct_boolean(loader: StackLoader, node: Node) -> bool:
    text = _read_scalar(loader, node).lower()
    if text not in ("true", "false"):
        refuse("expected true or false", node)
    return text == "true"


def _build_number_constructor(
    parse: Callable[[str], float],
) -> Callable[[StackLoader, Node], float]:
    def construct(loader: StackLoader, node: Node) -> float:
        try:
            return parse(_read_scalar(loader, node).lower().replace("_", ""))
        except ValueError:
            refuse("expected a number", node)

    return construct


def _parse_integer(text: str) -> int | float:
    digits = text.lstrip("+-")
    sign = -1 if text.startswith("-") else 1
    if digits[:2] in ("0b", "0o", "0x"):
        return sign * int(digits, 0)
    if len(digits) > 1 and digits.startswith("0") and set(digits) <= set("01234567"):
        return sign * int(digits, 8)
    return sign * (float(digits) if len(digits) > LARGEST_INTEGER_DIGITS else int(digits))


def _parse_real(text: str) -> float:
    return float(text.replace(".inf", "inf").replace(".nan", "nan"))


StackLoader.yaml_implicit_resolvers = {}
for _name, _pattern, _first in RESOLVERS:
    StackLoader.add_implicit_resolver(
        CORE + _name,
        re.compile(rf"(?:{_pattern})\Z"),
        [*_first, *([""] if _name == "null" else [])],
    )
StackLoader.yaml_constructors = {
    f"{CORE}null": yaml.SafeLoader.yaml_constructors[f"{CORE}null"],
    f"{CORE}str": yaml.SafeLoader.yaml_constructors[f"{CORE}str"],
    f"{CORE}seq": yaml.SafeLoader.yaml_constructors[f"{CORE}seq"],
    f"{CORE}map": yaml.SafeLoader.yaml_constructors[f"{CORE}map"],
    f"{CORE}bool": _construct_boolean,
    f"{CORE}int": _build_number_constructor(_parse_integer),
    f"{CORE}float": _build_number_constructor(_parse_real),
    None: yaml.SafeLoader.yaml_constructors[None],
}


def read_yaml(text: str) -> object:
    """The plain data of one YAML document. Raises yaml.YAMLError."""
    unprintable = Reader.NON_PRINTABLE.search(text)
    if unprintable:
        raise ReaderError("", unprintable.start(), 0, "unicode", "special characters")
    return StackLoader(text).get_single_data()
