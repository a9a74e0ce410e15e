"""What the tests of the other SDKs share: a test bed for their tables, and quick collecting."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest
from fixtures import bed as bed
from fixtures import memory as memory
from fixtures import meter as meter
from fixtures import server as server
from litellm_watch import Watch

if TYPE_CHECKING:
    from tests.conftest import FrameServer


@pytest.fixture(scope="session", autouse=True)
def _one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No TLS is spoken here, and any-llm reads the bundle for every call: 30 ms for a whole one."""
    first, end, _ = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----\n")
    bundle = tmp_path_factory.mktemp("certificates") / "one.pem"
    bundle.write_text(first + end)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SSL_CERT_FILE", str(bundle))
        yield


@pytest.fixture
def watch(shared_frame_server: FrameServer) -> Watch:
    """Functions of LiteLLM, wrapped by a Meter of their own."""
    return Watch(shared_frame_server)


@pytest.fixture
def collected() -> Iterator[None]:
    """The clients that a library drops unclosed are collected here, where nobody minds.

    What was there before is set aside: the modules of LiteLLM alone take half a second to look
    through.
    """
    gc.freeze()
    yield
    gc.collect()
