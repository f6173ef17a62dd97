"""The types of value of a service's own files."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from sparkform.config import validators
from sparkform.config.values import Words, match

LARGEST_FILE = 256 * 1024

FileName = Annotated[
    str,
    match(r"[A-Za-z0-9][A-Za-z0-9_-]{0,95}\.(jinja|json|py|txt)"),
    AfterValidator(validators.require_free_file_name),
    Words(
        "letters, digits, _ and -, and then .jinja, .json, .py or .txt",
        mismatch="is no name of such a file",
    ),
]
FileText = Annotated[
    str,
    StringConstraints(strict=True, min_length=1, max_length=LARGEST_FILE),
    AfterValidator(validators.require_process_argument),
    Words("the file's text, at most 262144 characters", hidden=True),
]
FileReference = Annotated[
    str,
    match(r"/?[A-Za-z0-9][A-Za-z0-9._/-]{0,255}"),
    Words(
        "the name of one of the service's files, or a path that the engine sees",
        mismatch="contains characters that are not allowed",
    ),
]
