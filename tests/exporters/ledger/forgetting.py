"""Forgetting ``user=alice@example.org`` elsewhere: python forgetting.py COMMAND HOME [POINT]."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from costspan.exporters.ledger.forget import forget
from costspan.exporters.ledger.person import Person, Trait
from costspan.exporters.ledger.scrub import quarantined, spooled, still_mentioning

IS_ALICE = Person([Trait("user", ("alice@example.org",))])


def die(home: str, point: str) -> None:
    """Forget, killed when the point is passed."""

    def hook(passed: str) -> None:
        if passed == point:
            os.kill(os.getpid(), signal.SIGKILL)

    forget(home, IS_ALICE, hook=hook)


def look_as_nobody(home: str) -> None:
    """Print what another user sees: lines in the spool, in the quarantine, files in doubt."""
    if os.getuid() == 0:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    folder = Path(home)
    files = [path.name for path in still_mentioning(folder, IS_ALICE)]
    print(json.dumps([spooled(folder, IS_ALICE), quarantined(folder, IS_ALICE), files]))


COMMANDS: dict[str, Callable[..., None]] = {"die": die, "look_as_nobody": look_as_nobody}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
