"""An engine for racks that prints given lines and then serves, hangs or dies, by its plan.

It runs in a container whose image is empty: the node's own Python is mounted into it. What it does
is real: a double free is glibc's, a taken port is the kernel's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from node.host.paths import MARKS
from tests.support.rack import RackHandle
from tests.support.waiting import wait_until

FOLDER = "/var/tmp/engine"
PORT = 8000
SERVICE = {
    "engine": "vllm",
    "runtime": "container",
    "image": "vllm/vllm-openai:v0.32.0",
    "model": "Qwen/Qwen3-8B",
    "port": PORT,
    "tensorParallel": 2,
}
"""The service whose ranks this engine stands for."""

START_LIMIT_S = 30.0
PROGRAM = r"""
import ctypes, faulthandler, http.server, json, os, signal, socket, sys, time

from multiprocessing.shared_memory import SharedMemory

faulthandler.enable()
folder = os.path.dirname(sys.argv[0])
plan = json.load(open(folder + "/plan.json"))

def symptom():
    with open(folder + "/symptom", "w") as file:
        file.write(str(time.time()))

class Api(http.server.BaseHTTPRequestHandler):
    def reply(self):
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        status, text = plan["api"].get(self.path, [404, "Not Found"])
        if plan["key"] and self.headers["Authorization"] != "Bearer " + plan["key"]:
            status, text = (401, "Unauthorized") if self.path.startswith("/v1") else (status, text)
        if self.path == "/metrics":
            status, text = 200, 'vllm:request_success_total{engine="0"} %d.0\n' % Api.served
        if status == 200 and "completions" in self.path:
            Api.served += 1
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())
    served = 0
    do_GET = do_POST = reply

def double_free():
    libc = ctypes.CDLL("libc.so.6")
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    place = libc.malloc(64)
    libc.free(place)
    libc.free(place)

def address_in_use():
    first = socket.create_server(("127.0.0.1", 8765))
    socket.create_server(("127.0.0.1", 8765))

def serve():
    print("INFO:     Application startup complete.", flush=True)
    http.server.ThreadingHTTPServer.request_queue_size = 128
    http.server.ThreadingHTTPServer(("0.0.0.0", plan["port"]), Api).serve_forever()

def hang():
    time.sleep(3600)

def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    hang()

ends = {
    "serve": serve, "hang": hang, "stubborn": stubborn, "double-free": double_free,
    "address-in-use": address_in_use, "segfault": lambda: ctypes.string_at(0),
    "eat": lambda: [bytearray(1 << 24) for _ in iter(int, 1)].clear(), "exit": lambda: sys.exit(3),
}
shared = SharedMemory(create=True, size=1 << 24) if plan["shares"] else None
if shared:
    shared.buf[:] = bytes(1 << 24)
held = b"x" * (plan["memory_mib"] << 20)
for line in plan["lines"]:
    print(line, flush=True)
    time.sleep(plan["pause_s"])
if plan["end"] != "serve":
    symptom()
if plan["symptom_line"]:
    print(plan["symptom_line"], flush=True)
ends[plan["end"]]()
"""
IMAGE = "tar -cf - -T /dev/null | sudo docker import - empty:1 > /dev/null"
MOUNTS = " ".join(
    f"-v {source}:{target}:ro"
    for source, target in (
        ("/usr", "/usr"),
        ("/usr/lib", "/lib"),
        ("/usr/lib64", "/lib64"),
        ("/usr/bin", "/bin"),
        ("/etc", "/etc"),
    )
)
# A limit of its own: the rack cannot give the one that dockerd may have by default.
RUN = f"--network host --ulimit memlock=65536 {MOUNTS} -v {FOLDER}:{FOLDER} empty:1"
COMMAND = f"/usr/bin/python3 -u {FOLDER}/engine.py"
CHAT = json.dumps({"choices": [{"message": {"content": "Hello"}}]})
COMPLETES = {"/v1/models": [200, "{}"], "/v1/chat/completions": [200, CHAT]}
UNIT_NAME = "sparkform-qwen.service"
UNIT = f"""[Service]
Type=exec
ExecStart={COMMAND}
Restart=no
KillMode=mixed
TimeoutStopSec=5
"""


@dataclass(frozen=True)
class Plan:
    """What one rank does: `lines`, a pause after each, then the symptom and the end.

    `options` are those of `docker run`; `shares` 16 MiB in the node's /dev/shm.
    """

    end: str = "serve"
    lines: Sequence[str] = ("INFO Starting to load model Qwen/Qwen3-8B...",)
    symptom_line: str = ""
    pause_s: float = 0.2
    memory_mib: int = 0
    options: str = ""
    shares: bool = False
    key: str = ""
    api: tuple[tuple[str, tuple[int, str]], ...] = ()

    def render(self) -> str:
        custom_replies = {path: list(reply) for path, reply in self.api}
        return json.dumps(
            {
                "end": self.end,
                "lines": list(self.lines),
                "symptom_line": self.symptom_line,
                "pause_s": self.pause_s,
                "memory_mib": self.memory_mib,
                "key": self.key,
                "shares": self.shares,
                "port": PORT,
                "api": {**COMPLETES, **custom_replies},
            }
        )


def build_label_options(rank: int, token: str) -> str:
    values = {"service": "qwen", "rank": str(rank), "token": token}
    return " ".join(f"--label sparkform.{name}={value}" for name, value in values.items())


def prepare(rack: RackHandle, host: str) -> None:
    rack.must(host, f"sudo install -d -m 0777 {FOLDER} && cat > {FOLDER}/engine.py", PROGRAM)
    rack.must(host, IMAGE)


def write_plan(rack: RackHandle, host: str, engine_plan: Plan) -> None:
    rack.must(
        host, f"cat > {FOLDER}/plan.json && sudo rm -f {FOLDER}/symptom", engine_plan.render()
    )


def start_container(rack: RackHandle, host: str, rank: int, token: str, engine_plan: Plan) -> None:
    write_plan(rack, host, engine_plan)
    name = f"sparkform-qwen-{rank}"
    options = f"--name {name} {build_label_options(rank, token)} {engine_plan.options}"
    rack.must(host, f"sudo docker run -d {options} {RUN} {COMMAND}")


def kill_later(rack: RackHandle, host: str, rank: int, after_s: float) -> None:
    """As the kernel or a person ends it: from outside, as a container's first process cannot be
    killed from within. Returns at once."""
    kill = f"date +%s.%N > {FOLDER}/symptom; docker kill sparkform-qwen-{rank}"
    rack.must(host, f"sudo sh -c '(sleep {after_s}; {kill}) > /dev/null 2>&1 &'")


def await_end(rack: RackHandle, host: str, engine_plan: Plan) -> None:
    """Until the engine serves, or does what its plan ends with."""
    serves = f"ss -Hltn 'sport = :{PORT}' | grep -q ."
    reached = serves if engine_plan.end == "serve" else f"test -e {FOLDER}/symptom"
    wait_until(
        lambda: rack.ask(host, reached).returncode == 0,
        f"{host}: the engine does not come to {engine_plan.end}",
        START_LIMIT_S,
    )


def is_running(rack: RackHandle, host: str, rank: int) -> bool:
    inspect = f"sudo docker inspect -f '{{{{.State.Running}}}}' sparkform-qwen-{rank}"
    return rack.ask(host, inspect).stdout.strip() == "true"


def start_unit(rack: RackHandle, host: str, token: str, engine_plan: Plan) -> None:
    """A unit with the mark that the step `member` leaves beside it."""
    write_plan(rack, host, engine_plan)
    values = {"service": "qwen", "rank": "0", "token": token}
    mark = {"unit": UNIT_NAME, **{f"sparkform.{name}": value for name, value in values.items()}}
    rack.must(host, f"sudo install -D -m 0600 /dev/stdin {MARKS}/qwen", json.dumps(mark))
    unit_path = f"/run/systemd/system/{UNIT_NAME}"
    rack.must(host, f"sudo install -D -m 0644 /dev/stdin {unit_path}", UNIT)
    rack.must(host, "sudo systemctl daemon-reload && sudo systemctl start sparkform-qwen")


def clear(rack: RackHandle, host: str) -> None:
    """Nothing of an earlier service is there."""
    rack.must(
        host,
        "sudo docker ps -aq --filter label=sparkform.service | xargs -r sudo docker rm -f;"
        "sudo systemctl stop sparkform-qwen; sudo systemctl reset-failed sparkform-qwen;"
        f"sudo rm -rf /run/systemd/system/{UNIT_NAME} {MARKS} /var/log/sparkform; true",
    )


def read_symptom_s(rack: RackHandle, host: str) -> float:
    return float(rack.must(host, f"cat {FOLDER}/symptom"))
