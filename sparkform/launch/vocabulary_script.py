"""Runs inside the image before a gpt-oss engine: makes its vocabulary file out of its tokenizer.

`vocabulary.py MODEL PROGRAM ...`: gpt-oss' Harmony encoding reads o200k_base.tiktoken, which it
fetches from the internet unless TIKTOKEN_ENCODINGS_BASE names a folder that has it
(openai/harmony: src/tiktoken_ext/public_encodings.rs). The same words with the same ranks stand in
the model's own tokenizer.json, in the form of byte-level BPE. The digest is Harmony's own. Where no
tokenizer fits, the engine starts as it would without this. The standard library only.
"""

from __future__ import annotations

import base64
import glob
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Mapping

NAME = "o200k_base.tiktoken"
SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
VARIABLE = "TIKTOKEN_ENCODINGS_BASE"


def build_byte_table() -> dict[str, int]:
    """The byte that each character of byte-level BPE stands for (GPT-2: bytes_to_unicode)."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in shown]
    table = {chr(byte): byte for byte in shown}
    return table | {chr(256 + place): byte for place, byte in enumerate(hidden)}


def render_vocabulary(ranks: Mapping[str, int]) -> bytes:
    """tiktoken's form: a line for each word, in the order of their ranks."""
    table = build_byte_table()
    words = sorted((rank, bytes(table[part] for part in word)) for word, rank in ranks.items())
    return b"".join(b"%s %d\n" % (base64.b64encode(word), rank) for rank, word in words)


def list_tokenizers(model: str) -> list[str]:
    """Where a model's tokenizer can be: in its folder, or in the hub's cache."""
    cache = f"{os.environ.get('HF_HUB_CACHE', '')}/models--{model.replace('/', '--')}"
    return [f"{model}/tokenizer.json", *sorted(glob.glob(f"{cache}/snapshots/*/tokenizer.json"))]


def find_vocabulary(paths: Iterable[str]) -> bytes | None:
    """The vocabulary of the first tokenizer that makes the right one."""
    for path in paths:
        try:
            with open(path, encoding="utf-8") as file:
                vocabulary = render_vocabulary(json.load(file)["model"]["vocab"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if hashlib.sha256(vocabulary).hexdigest() == SHA256:
            return vocabulary
    return None


def main(model: str, *program: str) -> None:
    vocabulary = find_vocabulary(list_tokenizers(model))
    if vocabulary is None:
        print(f"sparkform: no tokenizer.json of {model} holds {NAME}", file=sys.stderr)
    else:
        folder = tempfile.mkdtemp(prefix="sparkform-vocabulary-")
        with open(f"{folder}/{NAME}", "wb") as file:
            file.write(vocabulary)
        os.environ[VARIABLE] = folder
    os.execvp(program[0], program)


if __name__ == "__main__":
    main(*sys.argv[1:])
