"""The vocabulary of gpt-oss, made at each start from the model's own files: no internet needed."""

from __future__ import annotations

from pathlib import Path

from sparkform.launch.paths import CONTAINER_FOLDER
from sparkform.launch.records import LaunchFile
from sparkform.launch.request import LaunchRequest
from sparkform.launch.vocabulary_script import VARIABLE

SCRIPT = f"{CONTAINER_FOLDER}/vocabulary.py"
MODEL = "gpt-oss"


def needs_vocabulary(request: LaunchRequest) -> bool:
    """A container with a gpt-oss model, whose stack file names no folder for it. A native engine
    could leave its temporary files behind."""
    declared = request.declared
    name = (declared.model or declared.model_path or "").lower()
    return MODEL in name and not request.is_native and VARIABLE not in declared.environment


def build_vocabulary_file() -> LaunchFile:
    text = Path(__file__).with_name("vocabulary_script.py").read_text(encoding="utf-8")
    return LaunchFile(path=SCRIPT, text=text)


def build_entrypoint(request: LaunchRequest) -> tuple[str, ...]:
    """What runs before the start script, and hands over to it."""
    model = request.locate_weights(request.head).argument
    return ("python3", SCRIPT, model)
