"""The kinds of value that the stack file knows, each with its words and its reason."""

from __future__ import annotations

from typing import Annotated, Literal

from sparkform.config import readers
from sparkform.config.shape import Choice, Refused, Shape

# Mount options, systemd units and Docker labels all take these characters, and no shell reads them.
HANDLE = r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?"
LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
# Our own units are sparkform-rollback and sparkform-rollback-boot.
SERVICE_LABEL = r"(?!rollback(-boot)?$)[a-z]([a-z0-9-]{0,38}[a-z0-9])?"
USER = r"[a-z_][a-z0-9_.-]{0,31}"
HOP = r"([A-Za-z0-9_.-]+@)?[A-Za-z0-9_.-]+(:[0-9]{1,5})?"
IMAGE = (
    r"([a-zA-Z0-9.-]+(:[0-9]{1,5})?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)

Flag = Annotated[bool, Shape("true or false", readers.flag)]
Text = Annotated[str, Shape("text on one line", readers.text)]
Token = Annotated[
    str,
    Shape(
        "letters, digits and . _ + - without blanks",
        readers.matching(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}", "has other characters"),
    ),
]
Port = Annotated[int, Shape("an integer from 1 to 65535", readers.whole(1, 65535))]
Ranks = Annotated[
    int,
    Shape("an integer from 1 to 8", readers.whole(1, 8), "a cluster has one to eight Sparks"),
]
Index = Annotated[
    int,
    Shape(
        "an integer from 0 to 7",
        readers.whole(0, 7),
        "a cluster has one to eight Sparks, and the index sets the last part of their addresses",
    ),
]
Count = Annotated[int, Shape("an integer of at least 1", readers.whole(1, 10**15))]
CountOrNone = Annotated[int, Shape("an integer of at least 0", readers.whole(0, 10**15))]
Seconds = Annotated[
    int, Shape("an integer from 1 to 604800 (a week)", readers.whole(1, 7 * 24 * 3600))
]
Fraction = Annotated[float, Shape("a number above 0 and at most 1", readers.number(0, 1))]
Gibibytes = Annotated[float, Shape("a number above 0 and at most 4096", readers.number(0, 4096))]
WeightBits = Annotated[float, Shape("a number above 0 and at most 64", readers.number(0, 64))]
NodePath = Annotated[
    str,
    Shape(
        "a path that starts with / and has no blanks, quotes, colons or commas",
        readers.absolute_path,
        "containers mount it, and the nodes share no working directory",
    ),
]
ControlPath = Annotated[str, Shape("a path on the machine that runs Pulumi", readers.text)]
Address = Annotated[str, Shape("the IPv4 or IPv6 address of a host", readers.address)]
ListenAddress = Annotated[str, Shape("an IP address; 0.0.0.0 for all", readers.listen_address)]
HostName = Annotated[
    str,
    Shape(
        "a host name or an IP address, without user and port",
        readers.host,
    ),
]
UserName = Annotated[
    str,
    Shape(
        "a Linux user name (lower case, at most 32 characters)",
        readers.matching(USER, "is not a user name"),
    ),
]
ProxyJump = Annotated[
    str,
    Shape(
        "[user@]host[:port], several separated by commas",
        readers.matching(rf"{HOP}(,{HOP})*", "is not a jump host"),
    ),
]
HostKey = Annotated[
    str,
    Shape(
        ", ".join(readers.HOST_KEY_TYPES) + " and its base64 part",
        readers.host_key,
        "the SSH client of the command plugin fails on RSA host keys",
    ),
]
NodeName = Annotated[
    str,
    Shape(
        "a DNS label: lower case letters, digits and -, at most 63 characters",
        readers.matching(LABEL, "is not a DNS label"),
        "it becomes part of resource names and labels",
    ),
]
SERVICE_NAME = Shape(
    "a DNS label that starts with a letter: lower case, digits and -, at most 40 characters, "
    "and not rollback or rollback-boot",
    readers.matching(SERVICE_LABEL, "is not a name for a service"),
    "it becomes the name of Swarm services (at most 63 with the rank), containers and units",
)
InterfaceName = Annotated[
    str,
    Shape(
        "a network interface's name, at most 15 characters",
        readers.matching(r"[A-Za-z0-9_.-]{1,15}", "is not an interface name"),
    ),
]
ModelHandle = Annotated[
    str,
    Shape(
        "a Hugging Face handle: owner/name (or a bare name, where there is no owner)",
        readers.matching(HANDLE, "is not a model handle"),
    ),
]
Revision = Annotated[
    str,
    Shape(
        "a commit id, tag or branch",
        readers.matching(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}", "is not a revision"),
    ),
]
Image = Annotated[
    str,
    Shape(
        "registry/path:tag, best with @sha256:digest",
        readers.matching(IMAGE, "is not an image reference"),
    ),
]
Version = Annotated[
    str,
    Shape(
        "a version in quotes, like '580.95'",
        readers.matching(r"[0-9]+(\.[0-9]+){0,3}", "is not a version"),
        "without quotes YAML reads 12.10 as the number 12.1",
    ),
]
RuleName = Annotated[
    str,
    Shape(
        "a rule's name, as `sparkform check` prints it",
        readers.matching(r"[a-z0-9]+(-[a-z0-9]+)*", "is not a rule's name"),
    ),
]
VariableName = Annotated[
    str,
    Shape(
        "letters, digits and _, not starting with a digit",
        readers.matching(r"[A-Za-z_][A-Za-z0-9_]*", "is not the name of an environment variable"),
    ),
]
# Environments and arguments are where people put tokens: a message never repeats them.
VariableValue = Annotated[str, Shape("text in quotes", readers.verbatim, hidden=True)]
Argument = Annotated[str, Shape("text in quotes", readers.verbatim, hidden=True)]

FabricPool = Annotated[
    str,
    Shape(
        "a private IPv4 network from /8 to /25",
        readers.pool(8, 25),
        "it is cut into 8 equal subnets, and hosts start at .10 in each",
    ),
]
SwarmPool = Annotated[
    str,
    Shape(
        "a private IPv4 network from /8 to /24",
        readers.pool(8, 24),
        "Swarm cuts it into one /24 for each network",
    ),
]

Topology = Annotated[Literal["direct", "ring", "switch", "none"], Choice()]
QsfpPort = Annotated[Literal[0, 1, "auto"], Choice("a Spark has two QSFP ports")]
Runtime = Annotated[Literal["swarm", "container", "native"], Choice()]
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
    Choice("these are the values of TensorRT-LLM's allreduce_strategy"),
]
Launcher = Annotated[Literal["mp", "ray"], Choice()]

SMALLEST_MTU = 1500
LARGEST_MTU = 9000


def _mtu(value: object) -> int | str:
    if value == "inherit":
        return "inherit"
    size = readers.whole(SMALLEST_MTU, LARGEST_MTU)(value)
    if not isinstance(size, int):
        raise Refused("must be an integer")
    return size


# RoCE's own packets are at most 4096 bytes, which 9000 carries; the sources that
# set an MTU at all set 9000, and 1500 is what every port starts with.
Mtu = Annotated[
    int | Literal["inherit"],
    Shape(
        "an integer from 1500 to 9000, or inherit",
        _mtu,
        "every port carries 1500, and RoCE packets of 4096 bytes, the largest, fit into 9000",
    ),
]
