"""An engine that fits into a shell: a busybox image, made in a node, whose `vllm` answers at once.

It takes what a launch gives it and holds the launch to it: the model must be there, the key is read
from VLLM_API_KEY, rank 0 listens where it is told to, a headless rank waits. With TINY_FAILS it
ends at once.
"""

from __future__ import annotations

import json

from tests.support.rack import RackHandle

IMAGE = "sparkform.test/tiny:1"
MODELS = "/srv/models/tiny"
SERVE = r"""#!/bin/sh
# vllm serve MODEL --port N [--headless] ...
model=$2 port= headless=
[ -d "$model" ] || { echo "no model at $model"; exit 3; }
[ -z "${TINY_FAILS:-}" ] || { echo "RuntimeError: it was told to fail"; exit 4; }
while [ $# -gt 0 ]; do
    case $1 in
    --port) port=$2 ;;
    --headless) headless=1 ;;
    esac
    shift
done
rm -f /tmp/tiny-served
echo "tiny engine: port $port${headless:+, headless}"
trap 'exit 0' TERM
if [ -n "$headless" ]; then
    while :; do sleep 1 & wait $!; done
fi
nc -ll -p "$port" -e /bin/answer &
wait $!
"""
ANSWER = r"""#!/bin/sh
# One HTTP request on stdin, one answer on stdout.
read -r method path version
key= length=0
while read -r line; do
    line=$(printf %s "$line" | tr -d '\r')
    [ -n "$line" ] || break
    case $line in
    Authorization:*) key=${line#Authorization: Bearer } ;;
    Content-[Ll]ength:*) length=${line#*: } ;;
    esac
done
# A body that nobody reads makes the far end's connection end with a reset.
head -c "$length" > /dev/null
status="200 OK" body='{"object": "list", "data": [{"id": "tiny"}]}'
case $path in
/v1/*) [ -z "${VLLM_API_KEY:-}" ] || [ "$key" = "$VLLM_API_KEY" ] || status="401 Unauthorized" ;;
esac
served() { [ -e /tmp/tiny-served ] && echo 1 || echo 0; }
case $path in
/metrics) if [ -e /tmp/tiny-metrics ]; then body=$(sed "s/NOW/$(date +%s)/g" /tmp/tiny-metrics)
    else body="vllm:request_success_total{model_name=\"tiny\"} $(served).0"; fi ;;
/v1/chat/completions) [ "${status% *}" = 200 ] && touch /tmp/tiny-served
    body='{"choices": [{"message": {"role": "assistant", "content": "tiny"}}]}' ;;
esac
printf 'HTTP/1.1 %s\r\nContent-Type: application/json\r\n' "$status"
printf 'Connection: close\r\n\r\n%s' "$body"
"""
MAKE = f"""
set -e
sudo mkdir -p {MODELS} && sudo touch {MODELS}/config.json
rm -rf /tmp/tiny && mkdir -p /tmp/tiny/bin /tmp/tiny/etc /tmp/tiny/tmp /tmp/tiny/run
echo "root:x:0:0::/:/bin/sh" > /tmp/tiny/etc/passwd
cp /usr/bin/busybox /tmp/tiny/bin/busybox
for name in $(busybox --list); do [ "$name" = busybox ] || ln -s busybox /tmp/tiny/bin/$name; done
sudo python3 - /tmp/tiny/bin <<'END'
import json, pathlib, sys
texts = json.loads({json.dumps(json.dumps({"vllm": SERVE, "answer": ANSWER}))})
for name, text in texts.items():
    path = pathlib.Path(sys.argv[1]) / name
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(0o755)
END
tar --create --directory /tmp/tiny . | sudo docker import --change 'ENV PATH=/bin' - {IMAGE}
rm -rf /tmp/tiny
"""


NATIVE = f"""
set -e
sudo mkdir -p /opt/sparkform/vllm/bin {MODELS} && sudo touch {MODELS}/config.json
sudo python3 - <<'END'
import json, pathlib
texts = json.loads({json.dumps(json.dumps({"tiny-vllm": SERVE, "answer": ANSWER}))})
nc = {{"nc -ll": "busybox nc -ll", "/bin/answer": "/opt/sparkform/vllm/bin/answer"}}
for name, text in texts.items():
    for old, new in nc.items():
        text = text.replace(old, new)
    path = pathlib.Path("/opt/sparkform/vllm/bin") / name
    path.write_text(text)
    path.chmod(0o755)
path = pathlib.Path("/opt/sparkform/vllm/bin/python")
path.write_text('#!/bin/sh\\nshift 2\\nexec /opt/sparkform/vllm/bin/tiny-vllm "$@"\\n')
path.chmod(0o755)
END
"""


def install_native(rack: RackHandle) -> None:
    """The same engine as a program of the node, where a launch looks for vLLM's Python."""
    for host in rack.hosts:
        rack.must(host, NATIVE)


def install(rack: RackHandle) -> None:
    """The image, and a folder that stands for the model, on every node."""
    for host in rack.hosts:
        rack.must(host, MAKE)


def build_service(runtime: str = "container", **keys: object) -> dict[str, object]:
    """A block of `sparkform:services`; nothing of it restarts by itself."""
    image = {} if runtime == "native" else {"image": IMAGE}
    return {
        **image,
        "engine": "vllm",
        "runtime": runtime,
        "modelPath": MODELS,
        "servedName": "tiny",
        "port": 8000,
        "gpuMemoryUtilization": 0.3,
        "restartPolicy": "none",
        **keys,
    }


def request_answer(rack: RackHandle, host: str, port: int = 8000, path: str = "/v1/models") -> str:
    """The service's answer to a request from that node: the body and its status."""
    command = f"curl -s -m 5 -w ' %{{http_code}}' http://127.0.0.1:{port}{path} || true"
    return rack.must(host, command).strip()
