from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests log in with the keys that they name, not with those of who runs them."""
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
