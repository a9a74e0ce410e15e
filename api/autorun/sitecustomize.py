"""Read by Python when it starts, where ``costspan run`` has put this folder on ``PYTHONPATH``.

Any Python may come across it, also one that is older than what costspan needs.
"""

from __future__ import annotations

import os
import sys

_SAID = "COSTSPAN_RUN_SAID"


def _run_hidden() -> None:
    """Run the ``sitecustomize`` that this one hides: of the system, or of another tool."""
    here = os.path.dirname(os.path.abspath(__file__))
    ours = sys.modules.pop(__name__)
    path = list(sys.path)
    sys.path[:] = [folder for folder in path if os.path.abspath(folder or os.curdir) != here]
    shortened = list(sys.path)
    try:
        __import__(__name__)
    except ImportError as error:
        if error.name != __name__:
            raise
    finally:
        if sys.path == shortened:  # else it has put there what it wants
            sys.path[:] = path
        sys.modules.setdefault(__name__, ours)


def _watch() -> None:
    """Follow the SDKs; say once, if this Python cannot, that nothing will be recorded."""
    first = _SAID not in os.environ
    os.environ[_SAID] = "1"  # what this program starts is silent: it need not use an SDK
    try:
        from costspan.zero_code import start_program
    except ImportError as error:
        if first:
            sys.stderr.write(
                f"costspan: nothing is recorded: {sys.executable} cannot import costspan "
                f"({error}): install it there, or run costspan from that environment\n"
            )
        return
    start_program()


try:
    _run_hidden()
finally:
    _watch()
