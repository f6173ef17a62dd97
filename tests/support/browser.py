"""A real Chromium without a window, driven by its DevTools protocol over two pipes.

The protocol is NUL-ended JSON on the descriptors 3 and 4 (`--remote-debugging-pipe`,
chromedevtools.github.io/devtools-protocol): no driver and no port is needed.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--disable-extensions", "--mute-audio", "--remote-debugging-pipe"),
)
MOVE_PIPES = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""
ANSWER_LIMIT_S = 60.0
READABLE = 4.5
"""The least contrast of text (WCAG 2.2, success criterion 1.4.3)."""

MEASURE_CONTRASTS = """
((texts) => {
  const parse = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const shine = (colour) => {
    const [r, g, b] = parse(colour).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const findBack = (element) => {
    const back = getComputedStyle(element).backgroundColor;
    const clear = parse(back)[3] === 0 && element.parentElement;
    return clear ? findBack(element.parentElement) : back;
  };
  const result = {};
  for (const element of document.querySelectorAll(texts)) {
    if (!(element.innerText ?? element.textContent).trim()) continue;
    const style = getComputedStyle(element);
    const ink = element.tagName === "text" ? style.fill : style.color;
    const pair = [ink, findBack(element)].map(shine).sort((a, b) => b - a);
    result[element.tagName + "." + element.className] = (pair[0] + 0.05) / (pair[1] + 0.05);
  }
  return result;
})
"""
FAULTS = ("Runtime.exceptionThrown", "Log.entryAdded")


class BrowserError(Exception):
    """What the browser refuses, or does not answer in time."""


def find_browser() -> str | None:
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


@dataclass
class Browser:
    """One page. `faults` are errors and warnings of its console, and whatever it throws."""

    commands: int
    answers: int
    session: str = ""
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    buffer: bytes = b""
    faults: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.commands, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + ANSWER_LIMIT_S
        while True:
            answer = self._receive(deadline - time.monotonic())
            if answer is None:
                raise BrowserError(f"{method}: no answer within {ANSWER_LIMIT_S:g} s")
            if answer.get("id") != number:
                continue
            if "error" in answer:
                raise BrowserError(f"{method}: {answer['error']['message']}")
            result: dict[str, Any] = answer["result"]
            return result

    def attach(self) -> None:
        """Make the page that all later calls are about, with nothing noted of others."""
        self.session, self.faults, self.requests = "", [], []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self.session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.await_true("document.readyState === 'complete'")

    def evaluate(self, expression: str) -> Any:
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise BrowserError(f"{expression}: {result['exceptionDetails']['text']}")
        return result["result"].get("value")

    def await_true(self, expression: str, limit_s: float = 60.0) -> float:
        """How long it took. The expression's value must be a plain one: no element has JSON."""
        started = time.monotonic()
        while not self.evaluate(expression):
            if time.monotonic() - started > limit_s:
                raise BrowserError(f"not true within {limit_s:g} s: {expression}")
            time.sleep(0.05)
        return time.monotonic() - started

    def read_text(self, selector: str) -> str:
        return str(self.evaluate(f"document.querySelector({json.dumps(selector)}).innerText"))

    def measure_contrasts(self, texts: str) -> dict[str, float]:
        """Of each element that `texts` selects, by tag and class: its ink on what is behind it."""
        contrasts: dict[str, float] = self.evaluate(f"{MEASURE_CONTRASTS}({json.dumps(texts)})")
        return contrasts

    def resize(self, width: int, height: int) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def choose_scheme(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def press(self, key: str, code: int, text: str = "") -> None:
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **pressed)
        self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def take_screenshot(self, file: Path) -> None:
        picture = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(picture["data"]))

    def _receive(self, limit_s: float) -> dict[str, Any] | None:
        while b"\0" not in self.buffer:
            if not select.select([self.answers], [], [], max(0.0, limit_s))[0]:
                return None
            part = os.read(self.answers, 2**20)
            if not part:
                raise BrowserError("the browser has ended")
            self.buffer += part
        text, _, self.buffer = self.buffer.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method in FAULTS:
            self.faults.append(json.dumps(parameters))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
            self.faults.append(json.dumps(parameters["args"]))
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])


@contextlib.contextmanager
def run_browser(program: str, profile: Path) -> Iterator[Browser]:
    with contextlib.ExitStack() as pipes:
        command_source, commands = _open_pipe(pipes)
        answers, answer_sink = _open_pipe(pipes)
        inherited = (command_source, answer_sink)
        command = [program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        process = subprocess.Popen(
            [sys.executable, "-c", MOVE_PIPES, *map(str, inherited), *command],
            pass_fds=inherited,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(profile)},
        )
        with process:
            browser = Browser(commands, answers)
            try:
                yield browser
            finally:
                process.kill()


def _open_pipe(pipes: contextlib.ExitStack) -> tuple[int, int]:
    """Both ends with numbers above those of the protocol."""
    low_ends = os.pipe()
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low_ends]
    for end in low_ends:
        os.close(end)
    for end in ends:
        pipes.callback(os.close, end)
    return ends[0], ends[1]
