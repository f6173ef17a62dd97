"""A tokenizer of bytes, in the form in which a model's folder has it: a token a byte."""

from __future__ import annotations

import base64
import json

END = "<|end|>"


def build_tokenizer_files() -> dict[str, str]:
    """Texts in base64, as the verb `tokenizer` sends them."""
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [build_end_token()],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "post_processor": None,
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "vocab": {character: number for number, character in enumerate(list_alphabet())},
            "merges": [],
        },
    }
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "chat_template": "{% for message in messages %}{{ message['content'] }}{% endfor %}",
    }
    texts = {"tokenizer.json": json.dumps(tokenizer), "tokenizer_config.json": json.dumps(config)}
    return {name: base64.b64encode(text.encode()).decode() for name, text in texts.items()}


def build_end_token() -> dict[str, object]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": 256, "content": END, "special": True, **flags}


def list_alphabet() -> list[str]:
    """The characters that stand for the 256 bytes (GPT-2's bytes_to_unicode)."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    shifted = range(256, 256 + 256 - len(printable))
    return [chr(number) for number in (*printable, *shifted)]
