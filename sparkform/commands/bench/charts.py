"""Charts drawn by the load generator's Python, and the SVG of them as it goes into the report."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

DRAWING_PROGRAM = Path(__file__).with_name("draw_charts.py")
INK = "#123456"
"""The colour that it draws texts and axes in."""

LIMIT_S = 120.0
"""Half a minute on a busy machine: matplotlib looks through all fonts when it is first used."""

CHARTS = ("throughput", "latency", "requests", "nodes")


def draw_charts(environment: Path | None, folder: Path) -> tuple[dict[str, str], str | None]:
    """SVG by chart, and why there is none of it. PNG files appear in the folder."""
    if environment is None:
        return {}, "the environment of aiperf, which draws them, is not installed"
    with tempfile.TemporaryDirectory(prefix="sparkform-charts-") as scratch:
        argv: list[str | Path] = [
            environment / "bin" / "python",
            "-I",
            DRAWING_PROGRAM,
            folder,
            scratch,
        ]
        try:
            result = subprocess.run(
                argv,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
                check=False,
                env={"MPLCONFIGDIR": scratch, "PATH": "/usr/bin:/bin"},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return {}, f"the charts could not be drawn ({type(error).__name__})"
        if result.returncode:
            last = (result.stderr.strip().splitlines() or ["no message"])[-1]
            return {}, f"the charts could not be drawn ({last[:160]})"
        paths = {name: Path(scratch) / f"{name}.svg" for name in CHARTS}
        return {
            name: clean_svg(name, path.read_text(encoding="utf-8"))
            for name, path in paths.items()
            if path.exists()
        }, None


def clean_svg(name: str, text: str) -> str:
    """Without prologue and metadata, in the page's colour, with identifiers of its own. Pure."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace(INK, "currentColor")
    text = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    return re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
