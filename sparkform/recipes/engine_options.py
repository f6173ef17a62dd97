"""An engine's arguments as pieces: its model, and each option with its values.

Which options take no value, and which take several: vllm/engine/arg_utils.py and
vllm/entrypoints/openai/cli_args.py (0.32.0), tensorrt_llm/commands/serve.py@00209af.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sparkform.launch.vllm_options import ALIASES, fold_option
from sparkform.recipes.recipe import Piece
from sparkform.rules.arguments import OPTION

FLAGS = frozenset(
    {
        *("--trust-remote-code", "--enforce-eager", "--headless", "--enable-auto-tool-choice"),
        *("--enable-prefix-caching", "--enable-chunked-prefill", "--enable-expert-parallel"),
        *("--async-scheduling", "--disable-log-requests", "--disable-log-stats", "--enable-lora"),
        *("--enable-log-requests", "--disable-custom-all-reduce", "--enable-sleep-mode"),
        *("--enable-flashinfer-autotune", "--language-model-only", "--skip-mm-profiling"),
        *("--disable-uvicorn-access-log", "--return-tokens-as-token-ids", "--enable-eplb"),
        *("--data-parallel-hybrid-lb", "--data-parallel-external-lb", "--enable-dbo"),
        *("--enable-prompt-tokens-details", "--enable-server-load-tracking"),
        *("--use-tqdm-on-load", "--calculate-kv-scales", "--enable-reasoning", "--enable-mfu"),
        *("--disable-frontend-multiprocessing", "--disable-fastapi-docs", "--api-server"),
        *("--enable-return-routed-experts", "--enable-force-include-usage"),
        *("--enable-request-id-headers", "--allow-credentials", "--enable-ssl-refresh"),
        *("--disable-hybrid-kv-cache-manager", "--disable-sliding-window", "--enable-tokenizer"),
        *(
            "--disable-cascade-attn",
            "--enable-offline-docs",
            "--exclude-tools-when-tool-choice-none",
        ),
    }
)
SEVERAL_VALUES = frozenset(
    {
        *("--served-model-name", "--cudagraph-capture-sizes", "--lora-modules", "--middleware"),
        *("--allowed-origins", "--compile-sizes", "--cuda-graph-sizes", "--prompt-adapters"),
    }
)


def read_arguments(words: Sequence[str], has_model: bool = False) -> Iterator[Piece]:
    """Options keep their spelling; the first word that belongs to none is the model."""
    position = 0
    while position < len(words):
        word = words[position]
        end = position + 1
        if OPTION.match(word):
            end = _find_value_end(words, position, not has_model)
            yield _build_option(words[position:end])
            has_model |= canonicalize(word) == "--model"
        elif not has_model:
            has_model = True
            yield Piece("model", "model", word, (word,))
        else:
            yield Piece("other", word, None, (word,), "belongs to no option")
        position = end


def canonicalize(word: str) -> str:
    """The option's name in full, as vLLM spells it."""
    name = fold_option(word.partition("=")[0])
    return ALIASES.get(name, name)


def _find_value_end(words: Sequence[str], position: int, lacks_model: bool) -> int:
    """Where the values of the option at `position` end."""
    name, end = canonicalize(words[position]), position + 1
    if "=" in words[position] or name in FLAGS or name.startswith("--no-"):
        return end
    while end < len(words) and not OPTION.match(words[end]):
        end += 1
        if name not in SEVERAL_VALUES:
            break
    # `vllm serve --some-flag owner/model`: a flag that is not in the list above.
    is_last = end == len(words) and end == position + 2
    if lacks_model and is_last and "/" in words[end - 1] and name not in ("--model", "--tokenizer"):
        return position + 1
    return end


def _build_option(words: Sequence[str]) -> Piece:
    name, equals, value = words[0].partition("=")
    values = [value] if equals else list(words[1:])
    return Piece("option", name, " ".join(values) if values else None, tuple(words))
