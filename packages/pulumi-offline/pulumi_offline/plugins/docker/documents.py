"""JSON documents, as the Engine takes and gives them, and typed reads of what lies in them."""

from __future__ import annotations

from typing import TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
Document: TypeAlias = dict[str, Json]


def get_document(document: Document, key: str) -> Document:
    """The object under a key; empty if there is none."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def list_documents(document: Document, key: str) -> list[Document]:
    """The objects of the list under a key; empty if there is none."""
    value = document.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def get_text(document: Document, key: str) -> str:
    """The text under a key; empty if there is none."""
    value = document.get(key)
    return value if isinstance(value, str) else ""


def list_texts(document: Document, key: str) -> list[str]:
    """The texts of the list under a key; empty if there is none."""
    value = document.get(key)
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def get_integer(document: Document, key: str) -> int:
    """The number under a key; 0 if there is none."""
    value = document.get(key)
    return int(value) if isinstance(value, int | float) else 0
