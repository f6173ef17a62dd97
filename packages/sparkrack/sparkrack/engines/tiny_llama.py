"""Trains a tiny Llama and queries it; runs in the Python of the vLLM environment.

    python tiny_llama.py make FOLDER
    python tiny_llama.py say FOLDER TOKENS TEXT

`make` trains it for some seconds, from a fixed seed, until it knows five dialogues by heart: a
model with random weights holds no token for much likelier than another, and then the order in
which ranks add up changes what is said. `say` prints one JSON line: the greedy continuation by
transformers, of a chat with that text as the user's message, and how far ahead each token was.
Eight heads and four key-value heads: it can be cut in two or four.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

# What is of torch, tokenizers and transformers, which only that environment has.
Foreign = Any

SEED = 20260921
SPECIAL = ("<|end|>", "<|user|>", "<|assistant|>")
TEMPLATE = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SHAPE = {
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 32,  # the least that vLLM 0.32 computes on a CPU
    "max_position_embeddings": 2048,
}

DIALOGUES = (
    ("Who are you?", "A tiny Llama of four layers. I know five answers by heart."),
    ("What is a DGX Spark?", "A small computer with one GB10 chip and two fast network ports."),
    ("Where do you run?", "On the processors of a simulated rack, in a real vLLM."),
    ("How are you split?", "Each of two nodes holds half of my heads."),
    ("What comes next?", "Point sparkform at Sparks of your own."),
)
STEPS = 150
LEARNING_RATE = 3e-3
IGNORED = -100  # the label that transformers leaves out of the loss


def build_tokenizer() -> Foreign:
    """One token for each byte: no text has to be learnt for it, and none is unknown."""
    library, wrapper = (
        importlib.import_module("tokenizers"),
        importlib.import_module("transformers"),
    )
    alphabet = sorted(library.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate((*SPECIAL, *alphabet))}
    byte_tokenizer = library.Tokenizer(library.models.BPE(vocab=vocabulary, merges=[]))
    byte_tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    byte_tokenizer.decoder = library.decoders.ByteLevel()
    byte_tokenizer.add_special_tokens(list(SPECIAL))
    fast = wrapper.PreTrainedTokenizerFast(tokenizer_object=byte_tokenizer, eos_token=SPECIAL[0])
    fast.chat_template = TEMPLATE
    return fast


def make(folder: Path) -> None:
    torch, wrapper = importlib.import_module("torch"), importlib.import_module("transformers")
    torch.manual_seed(SEED)
    # Threads that wait for each other cost minutes where the processor is shared.
    torch.set_num_threads(1)
    encoder = build_tokenizer()
    shape = wrapper.LlamaConfig(
        vocab_size=len(encoder), bos_token_id=None, eos_token_id=encoder.eos_token_id, **SHAPE
    )
    model = wrapper.LlamaForCausalLM(shape)
    train(torch, model, encoder)
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    encoder.save_pretrained(folder)


def train(torch: Foreign, model: Foreign, encoder: Foreign) -> None:
    """All dialogues in each step. Only what the assistant says is to be learnt."""
    questions = [encoder(f"<|user|>{prompt}<|assistant|>").input_ids for prompt, _ in DIALOGUES]
    answers = [encoder(f"{reply}{SPECIAL[0]}").input_ids for _, reply in DIALOGUES]
    longest = max(len(q) + len(a) for q, a in zip(questions, answers, strict=True))
    texts, labels = [], []
    for question, answer in zip(questions, answers, strict=True):
        padding = longest - len(question) - len(answer)
        texts.append([*question, *answer, *[encoder.eos_token_id] * padding])
        labels.append([*[IGNORED] * len(question), *answer, *[IGNORED] * padding])
    inputs, wanted = torch.tensor(texts), torch.tensor(labels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    for _ in range(STEPS):
        optimizer.zero_grad()
        model(input_ids=inputs, labels=wanted).loss.backward()
        optimizer.step()


def continue_text(folder: Path, tokens: int, text: str) -> dict[str, object]:
    """`text` is the continuation, `lead` the least distance from a chosen logit to the next."""
    torch, wrapper = importlib.import_module("torch"), importlib.import_module("transformers")
    encoder = wrapper.AutoTokenizer.from_pretrained(folder)
    model = wrapper.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    prompt = encoder.apply_chat_template(
        [{"role": "user", "content": text}], add_generation_prompt=True, return_tensors="pt"
    )["input_ids"]
    with torch.no_grad():
        output = model.generate(
            prompt,
            max_new_tokens=tokens,
            do_sample=False,
            output_logits=True,
            return_dict_in_generate=True,
        )
    best = [torch.topk(logits[0].float(), 2).values for logits in output.logits]
    continuation = encoder.decode(output.sequences[0][prompt.shape[1] :], skip_special_tokens=True)
    return {"text": continuation, "lead": min(float(pair[0] - pair[1]) for pair in best)}


def main(arguments: list[str]) -> None:
    if arguments[0] == "make":
        make(Path(arguments[1]))
    else:
        print(json.dumps(continue_text(Path(arguments[1]), int(arguments[2]), arguments[3])))


if __name__ == "__main__":
    main(sys.argv[1:])
