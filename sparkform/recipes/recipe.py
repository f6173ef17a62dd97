"""What a recipe says, piece by piece, and what becomes of each piece."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from sparkform.config.secret_keys import guess_secret_key
from sparkform.launch.arguments import SECRET_OPTIONS
from sparkform.launch.variables import contains_secret, is_secret

PieceKind = Literal["option", "variable", "image", "model", "file key", "mount", "nodes", "other"]
HIDDEN = "..."
LONGEST_TEXT = 120


@dataclass(frozen=True)
class Piece:
    """One thing that a recipe says. `words` are those of the recipe that say it.

    `reason` tells why it cannot be taken over; without it the converter decides.
    """

    kind: PieceKind
    name: str
    value: str | None = None
    words: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def text(self) -> str:
        """For people: what looks like a secret is left out."""
        value = HIDDEN if self.secret_key else self.value
        text = self.name if value is None else f"{self.name} {value}"
        if self.kind == "other" and "login" in text.split():
            return f"{text.split()[0]} login {HIDDEN}"
        shown = HIDDEN if contains_secret(text) else " ".join(text.split())
        return shown if len(shown) <= LONGEST_TEXT else shown[:LONGEST_TEXT] + " ..."

    @property
    def secret_key(self) -> str | None:
        """The stack's secret key for it, where it is a credential."""
        value = self.value or ""
        is_hidden = self.kind == "option" and self.name.replace("_", "-") in SECRET_OPTIONS
        if self.kind == "variable" and is_secret(self.name, value or HIDDEN):
            is_hidden = True
        return (guess_secret_key(self.name) or "KEY") if is_hidden else None


@dataclass(frozen=True)
class Recipe:
    """One service as its recipe has it. `engine` null: the recipe starts none that we run."""

    name: str
    engine: str | None
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class Remark:
    """A piece that is not in the block, and why."""

    piece: Piece
    reason: str

    def __str__(self) -> str:
        return f"{self.piece.text}: {self.reason}"


@dataclass(frozen=True)
class Conversion:
    """`block` is the service's content, `taken` the key of it that each piece went to."""

    name: str
    block: Mapping[str, object]
    taken: tuple[tuple[Piece, str], ...]
    remarks: tuple[Remark, ...]
