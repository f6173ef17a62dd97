"""Makes tiny models that answer with numbers; runs in the Python of the vLLM environment.

    python tiny_pooling.py embedder FOLDER
    python tiny_pooling.py reranker FOLDER
    python tiny_pooling.py embed FOLDER TEXT

Their weights are random, from a fixed seed: what they answer means nothing, but it is the same in
every engine. `embed` prints the vector that transformers computes, as one JSON line. Both are
Llamas of the tiny chat model's shape: LlamaModel, and LlamaForSequenceClassification of one label.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

Foreign = Any
"""What is of torch and transformers, which only that environment has."""

CLASSES = {"embedder": "LlamaModel", "reranker": "LlamaForSequenceClassification"}
SPREAD = 0.4
"""Of the random weights: with transformers' 0.02 all vectors are nearly the same."""


def make(kind: str, folder: Path) -> None:
    torch, wrapper = importlib.import_module("torch"), importlib.import_module("transformers")
    tiny_llama = importlib.import_module("tiny_llama")
    torch.manual_seed(tiny_llama.SEED)
    encoder = tiny_llama.build_tokenizer()
    encoder.pad_token = encoder.eos_token
    shape = wrapper.LlamaConfig(
        vocab_size=len(encoder),
        bos_token_id=None,
        eos_token_id=encoder.eos_token_id,
        pad_token_id=encoder.eos_token_id,
        initializer_range=SPREAD,
        **({"num_labels": 1} if kind == "reranker" else {}),
        **tiny_llama.SHAPE,
    )
    model = getattr(wrapper, CLASSES[kind])(shape)
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    encoder.save_pretrained(folder)


def embed(folder: Path, text: str) -> list[float]:
    """The last token's state, of length one: what vLLM's pooler gives without another word."""
    torch, wrapper = importlib.import_module("torch"), importlib.import_module("transformers")
    encoder = wrapper.AutoTokenizer.from_pretrained(folder)
    model = wrapper.AutoModel.from_pretrained(folder, dtype=torch.bfloat16)
    with torch.no_grad():
        states = model(**encoder(text, return_tensors="pt")).last_hidden_state
    return [float(number) for number in torch.nn.functional.normalize(states[0, -1].float(), dim=0)]


def main(arguments: list[str]) -> None:
    if arguments[0] == "embed":
        print(json.dumps(embed(Path(arguments[1]), arguments[2])))
    else:
        make(arguments[0], Path(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
