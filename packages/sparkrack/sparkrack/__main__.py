from __future__ import annotations

from sparkrack.cli import main

main()
