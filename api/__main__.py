"""``python -m costspan``: the same as the command ``costspan``."""

from __future__ import annotations

from costspan.cli import main

if __name__ == "__main__":
    main()
