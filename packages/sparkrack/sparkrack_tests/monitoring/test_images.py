"""The monitoring images: official names and user, and the wrapper that stands for url_file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sparkform.config import MonitoringImages
from sparkrack.monitoring import images


def test_each_has_the_official_name_and_the_official_user() -> None:
    official = MonitoringImages().to_plain()
    for key, image in images.IMAGES.items():
        assert image.reference.partition(":")[0] == official[key].partition(":")[0]
        assert "USER nobody" in image.packed.changes


def test_another_program_or_base_is_another_image() -> None:
    names = {image.packed.local_name for image in images.IMAGES.values()}
    assert len(names) == len(images.IMAGES)


def test_the_wrapper_gives_the_address_in_the_place_of_its_file(tmp_path: Path) -> None:
    """Its paths are moved into a folder; `echo` and the copy stand for Alertmanager."""
    (tmp_path / "webhook").write_text("http://10.0.0.1/a?b=c&d")
    config = tmp_path / "alertmanager.yml"
    config.write_text(f"receivers:\n- webhook_configs:\n  - url_file: {tmp_path}/webhook\n")
    program = tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$@"\ncat {tmp_path}/copy.yml\n')
    program.chmod(0o755)
    text = (images.OVERLAY / "usr/local/bin/rack-alertmanager").read_text()
    text = text.replace("/run/alertmanager.yml", f"{tmp_path}/copy.yml")
    text = text.replace("/usr/bin/prometheus-alertmanager", str(program))
    arguments = ["--log.level=info", f"--config.file={config}"]
    done = subprocess.run(
        ["sh", "-c", text, "wrapper", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
        env=dict(os.environ),
    )
    assert done.stdout.splitlines() == [
        f"--config.file={tmp_path}/copy.yml --log.level=info",
        "receivers:",
        "- webhook_configs:",
        "  - url: 'http://10.0.0.1/a?b=c&d'",
    ]
