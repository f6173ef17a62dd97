"""Models without weights: real shapes, and a tokenizer of single bytes padded to the vocabulary.

The engine draws the weights (`--load-format dummy`), so that speed and memory are a real model's
and answers mean nothing. Shapes are those of the public config.json of each handle.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

TOKENS = 128_256
BYTES = 256
SPECIAL_TOKENS = ("<bos>", "<eos>")
CHAT_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant: "
)
ENDS = {"bos_token_id": TOKENS - 2, "eos_token_id": TOKENS - 1}

LLAMA: Mapping[str, object] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "num_hidden_layers": 32,
    "head_dim": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "rope_scaling": {
        "factor": 8.0,
        "high_freq_factor": 4.0,
        "low_freq_factor": 1.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    },
    "max_position_embeddings": 131072,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": TOKENS,
    **ENDS,
}
QWEN_MIXTURE: Mapping[str, object] = {
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "attention_bias": False,
    "decoder_sparse_step": 1,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "max_position_embeddings": 40960,
    "max_window_layers": 48,
    "mlp_only_layers": [],
    "moe_intermediate_size": 768,
    "norm_topk_prob": True,
    "num_attention_heads": 32,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "num_hidden_layers": 48,
    "num_key_value_heads": 4,
    "output_router_logits": False,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_sliding_window": False,
    "vocab_size": 151936,
    **ENDS,
}
GPT_OSS: Mapping[str, object] = {
    "architectures": ["GptOssForCausalLM"],
    "model_type": "gpt_oss",
    "attention_bias": True,
    "experts_per_token": 4,
    "head_dim": 64,
    "hidden_act": "silu",
    "hidden_size": 2880,
    "initial_context_length": 4096,
    "intermediate_size": 2880,
    "layer_types": ["sliding_attention", "full_attention"] * 12,
    "max_position_embeddings": 131072,
    "num_attention_heads": 64,
    "num_experts_per_tok": 4,
    "num_hidden_layers": 24,
    "num_key_value_heads": 8,
    "num_local_experts": 32,
    "output_router_logits": False,
    "quantization_config": {
        "modules_to_not_convert": [
            "model.layers.*.self_attn",
            "model.layers.*.mlp.router",
            "model.embed_tokens",
            "lm_head",
        ],
        "quant_method": "mxfp4",
    },
    "rms_norm_eps": 1e-5,
    "rope_scaling": {
        "beta_fast": 32.0,
        "beta_slow": 1.0,
        "factor": 32.0,
        "original_max_position_embeddings": 4096,
        "rope_type": "yarn",
        "truncate": False,
    },
    "rope_theta": 150000,
    "sliding_window": 128,
    "swiglu_limit": 7.0,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 201088,
    **ENDS,
    "pad_token_id": TOKENS - 1,
}
CONFIGS: Mapping[str, Mapping[str, object]] = {
    "dense-bf16": LLAMA,
    "dense-fp8": LLAMA,
    "dense-small": {**LLAMA, "num_hidden_layers": 2},
    "mixture-bf16": QWEN_MIXTURE,
    "mixture-mxfp4": GPT_OSS,
}


def write_models(folder: Path) -> None:
    """A folder a shape, as a hub's snapshot without its weights."""
    tokenizer = json.dumps(build_tokenizer(), ensure_ascii=False)
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": SPECIAL_TOKENS[0],
        "eos_token": SPECIAL_TOKENS[1],
        "model_max_length": 131072,
        "chat_template": CHAT_TEMPLATE,
    }
    for shape, config in CONFIGS.items():
        model = folder / shape
        model.mkdir(parents=True)
        (model / "config.json").write_text(json.dumps(config))
        (model / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
        (model / "tokenizer_config.json").write_text(json.dumps(settings))
        (model / "generation_config.json").write_text(json.dumps(ENDS))


def build_tokenizer() -> dict[str, object]:
    """Byte-level, without merges: one token a byte, the others are never made of text."""
    vocabulary = {character: number for number, character in enumerate(list_byte_characters())}
    padding = range(BYTES, TOKENS - len(SPECIAL_TOKENS))
    vocabulary |= {f"Ġt{number}": number for number in padding}
    added = [
        {
            "id": TOKENS - len(SPECIAL_TOKENS) + index,
            "content": token,
            "special": True,
            **dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False),
        }
        for index, token in enumerate(SPECIAL_TOKENS)
    ]
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    model: dict[str, object] = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "vocab": vocabulary,
        "merges": [],
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": model,
    }


def list_byte_characters() -> list[str]:
    """The printable stand-in of each byte, as in GPT-2's vocabulary."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(BYTES) if byte not in printable]
    characters = {byte: chr(byte) for byte in printable}
    characters |= {byte: chr(BYTES + index) for index, byte in enumerate(others)}
    return [characters[byte] for byte in range(BYTES)]
