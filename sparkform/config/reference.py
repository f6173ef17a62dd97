"""The configuration reference, made from the models: `python -m sparkform.config.reference`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

from pydantic.fields import FieldInfo

from sparkform.config.cluster import Cluster
from sparkform.config.field_types import describe_allowed, get_field_type
from sparkform.config.gateway import Gateway
from sparkform.config.monitoring import Monitoring
from sparkform.config.secret_keys import SECRET_KEYS
from sparkform.config.section import Section, find_section, get_fields_by_key
from sparkform.config.service import Service, TrtllmService, VllmService

HEAD = """\
# Configuration

A stack file, `Pulumi.<stack>.yaml`, has up to four blocks under `config:`: `sparkform:cluster`
declares the machines, `sparkform:services` the models that they serve, `sparkform:gateway` one
address for all of these, `sparkform:monitoring` that they are watched. `Pulumi.spark.yaml` shows
every key. Unknown keys and keys that contradict each other are refused, all at once, with the
reason. The first line of a stack file, which `sparkform init` writes, leads editors to
`sparkform/config/schema.json`.

Made by `python -m sparkform.config.reference > docs/configuration.md`.
"""

KINDS = {
    "absolute path": "a path that starts with / and has no blanks, quotes, colons or commas",
    "local path": "a path on the machine that runs Pulumi",
    "model handle": "a Hugging Face handle: owner/name (or a bare name, where there is no owner)",
    "word": "letters, digits and . _ + - without blanks",
    "user name": "a Linux user name (lower case, at most 32 characters)",
    "label": "a DNS label: lower case letters, digits and -, at most 63 characters",
    "version": "a version in quotes, like '580.95'",
    "count": "an integer of at least 1",
    "share": "a number above 0 and at most 1",
    "seconds": "an integer from 1 to 604800 (a week)",
}
"""Values that several keys take, by the names that the page's tables give them."""

BLOCKS: tuple[tuple[str, type[Section], type[Section] | None], ...] = (
    ("sparkform:cluster", Cluster, None),
    ("sparkform:services: each service, both engines", Service, None),
    ("sparkform:services: engine trtllm only", TrtllmService, Service),
    ("sparkform:services: engine vllm only", VllmService, Service),
    ("sparkform:gateway", Gateway, None),
    ("sparkform:monitoring", Monitoring, None),
)


def describe_default(field: FieldInfo) -> str:
    """What holds when the key is left out."""
    if field.is_required():
        return "required"
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "absent" in extra:
        return str(extra["absent"])
    default = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(default, Section):
        return "the defaults below"
    return f"`{json.dumps(default)}`"


def shorten_allowed(allowed: str) -> str:
    """The words for a value, with the kinds that the page explains at its top by their names."""
    for name, words in KINDS.items():
        allowed = allowed.replace(words, name)
    return allowed.replace("a block, see below", "block below")


def render_rows(model: type[Section], below: type[Section] | None) -> Iterator[str]:
    """One table row for each key of `model` that `below`, its base, does not have."""
    inherited = get_fields_by_key(below) if below else {}
    for key, field in get_fields_by_key(model).items():
        if key not in inherited:
            cells = (
                f"`{key}`",
                shorten_allowed(describe_allowed(get_field_type(field))),
                describe_default(field),
                field.description or "",
            )
            yield f"| {' | '.join(cells)} |"


def render_table(title: str, model: type[Section], below: type[Section] | None) -> Iterator[str]:
    """A heading, a table, and the same for each block inside."""
    yield from ("", f"## {title}", "", "| key | value | when absent | meaning |")
    yield "|---|---|---|---|"
    yield from render_rows(model, below)
    inherited = get_fields_by_key(below) if below else {}
    for key, field in get_fields_by_key(model).items():
        inner = find_section(field.annotation)
        if inner is not None and key not in inherited:
            place = title.partition(": ")[0] if title.startswith("sparkform:services") else title
            yield from render_table(f"{place}: {key}", inner, None)


def render_reference() -> str:
    """The whole page."""
    lines = [HEAD.rstrip(), "", "What the tables call the values of several keys:", ""]
    lines += [f"- *{name}*: {words}" for name, words in KINDS.items()]
    for title, model, below in BLOCKS:
        lines += render_table(title, model, below)
    lines += ["", "## Secrets", "", "Set with `pulumi config set --secret sparkform:KEY`; refused"]
    lines += ["elsewhere.", "", "| key | what for |", "|---|---|"]
    lines += [f"| `sparkform:{key}` | {use} |" for key, use in SECRET_KEYS.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_reference())
