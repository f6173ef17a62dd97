from __future__ import annotations

from rack.cli import main

main()
