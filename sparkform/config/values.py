"""The types of value in a stack file: pydantic's constraints, and words where those say too little.

Pulumi hands numbers to policies as floats (128.0), so an integer may arrive as a float; text that
looks like a number never becomes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, StringConstraints, Tag

from sparkform.config import validators

LONGEST_TEXT = 4096
LARGEST_COUNT = 10**15
SMALLEST_MTU, JUMBO_MTU = 1500, 9000


@dataclass(frozen=True)
class Words:
    """What messages and the reference say of a type beyond its constraints.

    `allowed` completes "allowed: …" and is the value column of the reference; without it the
    constraints are put into words. `mismatch` says how text fails the pattern. A `hidden` value is
    never repeated in a message.
    """

    allowed: str | None = None
    because: str | None = None
    mismatch: str | None = None
    hidden: bool = False


def match(pattern: str) -> StringConstraints:
    return StringConstraints(strict=True, max_length=LONGEST_TEXT, pattern=f"^(?:{pattern})$")


STRICT_TEXT = StringConstraints(strict=True, max_length=LONGEST_TEXT)
ONE_LINE = AfterValidator(validators.require_one_line)
FROM_FLOAT = BeforeValidator(validators.convert_integral_float)

# Mount options, systemd units and Docker labels all take these characters, and no shell reads them.
HANDLE = r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?"
DNS_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOP = r"([A-Za-z0-9_.-]+@)?[A-Za-z0-9_.-]+(:[0-9]{1,5})?"
IMAGE = (
    r"([a-zA-Z0-9.-]+(:[0-9]{1,5})?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)

Flag = Annotated[bool, Field(strict=True)]

Port = Annotated[int, Field(strict=True, ge=1, le=65535), FROM_FLOAT]
Ranks = Annotated[
    int,
    Field(strict=True, ge=1, le=8),
    FROM_FLOAT,
    Words(because="a cluster has one to eight Sparks"),
]
Index = Annotated[
    int,
    Field(strict=True, ge=0, le=7),
    FROM_FLOAT,
    Words(
        because="a cluster has one to eight Sparks, and the index sets the last part of their "
        "addresses"
    ),
]
Count = Annotated[
    int,
    Field(strict=True, ge=1, le=LARGEST_COUNT),
    FROM_FLOAT,
    Words("an integer of at least 1"),
]
CountOrNone = Annotated[
    int,
    Field(strict=True, ge=0, le=LARGEST_COUNT),
    FROM_FLOAT,
    Words("an integer of at least 0"),
]
Seconds = Annotated[
    int,
    Field(strict=True, ge=1, le=7 * 24 * 3600),
    FROM_FLOAT,
    Words("an integer from 1 to 604800 (a week)"),
]
BodyMib = Annotated[int, Field(strict=True, ge=1, le=128), FROM_FLOAT]
Interval = Annotated[int, Field(strict=True, ge=5, le=60), FROM_FLOAT]
Fraction = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)]
Gibibytes = Annotated[float, Field(strict=True, gt=0, le=4096, allow_inf_nan=False)]
GibOnDisk = Annotated[float, Field(strict=True, gt=0, le=65_536, allow_inf_nan=False)]
WeightBits = Annotated[float, Field(strict=True, gt=0, le=64, allow_inf_nan=False)]

Text = Annotated[str, STRICT_TEXT, ONE_LINE, Words("text on one line")]
ControlPath = Annotated[str, STRICT_TEXT, ONE_LINE, Words("a path on the machine that runs Pulumi")]
# Environments and arguments are where people put tokens: a message never repeats them.
VariableValue = Annotated[
    str,
    STRICT_TEXT,
    AfterValidator(validators.require_process_argument),
    Words("text in quotes", hidden=True),
]
Argument = VariableValue
Token = Annotated[
    str,
    match(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}"),
    Words(
        "letters, digits and . _ + - without blanks",
        mismatch="contains characters that are not allowed",
    ),
]
NodePath = Annotated[
    str,
    match(r"/[^ :,\\\"'$`]*"),
    ONE_LINE,
    AfterValidator(validators.require_normal_path),
    Words(
        "a path that starts with / and has no blanks, quotes, colons or commas",
        because="containers mount it, and the nodes share no working directory",
        mismatch="is not an absolute path that a mount can name",
    ),
]
Address = Annotated[
    str,
    STRICT_TEXT,
    ONE_LINE,
    AfterValidator(validators.read_host_address),
    Words("the IPv4 address of a host"),
]
ListenAddress = Annotated[
    str,
    STRICT_TEXT,
    ONE_LINE,
    AfterValidator(validators.read_listen_address),
    Words("an IP address; 0.0.0.0 for all"),
]
HostName = Annotated[
    str,
    STRICT_TEXT,
    ONE_LINE,
    AfterValidator(validators.require_host),
    Words("a host name or an IP address, without user and port"),
]
UserName = Annotated[
    str,
    match(r"[a-z_][a-z0-9_.-]{0,31}"),
    Words(
        "a Linux user name (lower case, at most 32 characters)",
        mismatch="is not a user name",
    ),
]
ProxyJump = Annotated[
    str,
    match(HOP),
    Words(
        "one [user@]host[:port]",
        because="the command plugin goes through one jump host; Pulumi can run on the first of "
        "several",
        mismatch="is not one jump host",
    ),
]
HostKey = Annotated[
    str,
    STRICT_TEXT,
    ONE_LINE,
    AfterValidator(validators.read_host_key),
    Words(
        ", ".join(validators.HOST_KEY_TYPES) + " and its base64 part",
        because="the SSH client of the command plugin fails on RSA host keys",
    ),
]
NodeName = Annotated[
    str,
    match(DNS_LABEL),
    Words(
        "a DNS label: lower case letters, digits and -, at most 63 characters",
        because="it becomes part of resource names and labels",
        mismatch="is not a DNS label",
    ),
]
ServiceName = Annotated[
    str,
    match(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?"),
    AfterValidator(validators.require_free_service_name),
    Words(
        "a DNS label that starts with a letter: lower case, digits and -, at most 40 characters, "
        "and not rollback or rollback-boot",
        because="it becomes the name of Swarm services (at most 63 with the rank), containers and "
        "units",
        mismatch=validators.NO_SERVICE_NAME,
    ),
]
InterfaceName = Annotated[
    str,
    match(r"[A-Za-z0-9_.-]{1,15}"),
    Words(
        "a network interface's name, at most 15 characters",
        mismatch="is not an interface name",
    ),
]
ModelHandle = Annotated[
    str,
    match(HANDLE),
    Words(
        "a Hugging Face handle: owner/name (or a bare name, where there is no owner)",
        mismatch="is not a model handle",
    ),
]
Revision = Annotated[
    str,
    match(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}"),
    Words("a commit id, tag or branch", mismatch="is not a revision"),
]
Image = Annotated[
    str,
    match(IMAGE),
    Words("registry/path:tag, best with @sha256:digest", mismatch="is not an image reference"),
]
Version = Annotated[
    str,
    match(r"[0-9]+(\.[0-9]+){0,3}"),
    Words(
        "a version in quotes, like '580.95'",
        because="without quotes YAML reads 12.10 as the number 12.1",
        mismatch="is not a version",
    ),
]
RuleName = Annotated[
    str,
    match(r"[a-z0-9]+(-[a-z0-9]+)*"),
    Words("a rule's name, as `sparkform check` prints it", mismatch="is not a rule's name"),
]
VariableName = Annotated[
    str,
    match(r"[A-Za-z_][A-Za-z0-9_]*"),
    Words(
        "letters, digits and _, not starting with a digit",
        mismatch="contains characters that are not allowed",
    ),
]
FabricPool = Annotated[
    str,
    STRICT_TEXT,
    ONE_LINE,
    AfterValidator(validators.build_pool_reader(8, 25)),
    Words(
        "a private IPv4 network from /8 to /25",
        because="it is cut into 8 equal subnets, and hosts start at .10 in each",
    ),
]
SwarmPool = Annotated[
    str,
    STRICT_TEXT,
    ONE_LINE,
    AfterValidator(validators.build_pool_reader(8, 24)),
    Words(
        "a private IPv4 network from /8 to /24",
        because="Swarm cuts it into one /24 for each network",
    ),
]

Topology = Literal["direct", "ring", "switch", "none"]
Runtime = Literal["swarm", "container", "native"]
Launcher = Literal["mp", "ray"]
Task = Literal["generate", "embed", "rerank"]
RestartPolicy = Literal["group", "none"]
AllReduce = Annotated[
    Literal[
        "AUTO",
        "NCCL",
        "UB",
        "MINLATENCY",
        "ONESHOT",
        "TWOSHOT",
        "LOWPRECISION",
        "MNNVL",
        "NCCL_SYMMETRIC",
    ],
    Words(because="these are the values of TensorRT-LLM's allreduce_strategy"),
]


def _get_mtu_tag(value: object) -> str:
    return "inherit" if value == "inherit" else "bytes"


# RoCE's own packets are at most 4096 bytes, which 9000 carries; the sources that
# set an MTU at all set 9000, and 1500 is what every port starts with.
Mtu = Annotated[
    Annotated[int, Field(strict=True, ge=SMALLEST_MTU, le=JUMBO_MTU), FROM_FLOAT, Tag("bytes")]
    | Annotated[Literal["inherit"], Tag("inherit")],
    Discriminator(_get_mtu_tag),
    Words(
        "an integer from 1500 to 9000, or inherit",
        because="every port carries 1500, and RoCE packets of 4096 bytes, the largest, fit into "
        "9000",
    ),
]
