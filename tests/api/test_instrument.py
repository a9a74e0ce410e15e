"""``instrument``: clients are watched without a ``wrap``; ``uninstrument`` puts everything back."""

from __future__ import annotations

import gc
import importlib
import inspect
import pickle
import subprocess
import sys
import threading
import weakref
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import anthropic
import cohere
import mistralai.client
import openai
import pytest
import wire
from google import genai

import costspan
from costspan import zero_code
from costspan.middleware.adapters import adapter_of
from costspan.middleware.config import ConfigError
from costspan.middleware.followed import FOLLOWED
from costspan.middleware.import_hook import ImportHook
from costspan.middleware.instrumenting import Instrumentation

if TYPE_CHECKING:
    from tests.conftest import FrameServer

HI: list[Any] = [{"role": "user", "content": "hi"}]
CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    yield
    costspan.uninstrument()


def is_watched(client: object) -> bool:
    adapter = adapter_of(client)
    assert adapter is not None
    return adapter.is_attached(client)


def ask(client: openai.OpenAI) -> str | None:
    answer = client.chat.completions.create(model="gpt-4o", messages=HI)
    return answer.choices[0].message.content


CLIENTS: dict[str, Callable[[], Any]] = {
    "OpenAI": lambda: openai.OpenAI(api_key="k"),
    "AsyncOpenAI": lambda: openai.AsyncOpenAI(api_key="k"),
    "AzureOpenAI": lambda: openai.AzureOpenAI(
        api_key="k", azure_endpoint="http://a", api_version="1"
    ),
    "with_options": lambda: openai.OpenAI(api_key="k").with_options(timeout=3),
    "Anthropic": lambda: anthropic.Anthropic(api_key="k"),
    "AsyncAnthropic": lambda: anthropic.AsyncAnthropic(api_key="k"),
    "AnthropicBedrock": lambda: anthropic.AnthropicBedrock(aws_region="us-east-1"),
    "AnthropicVertex": lambda: anthropic.AnthropicVertex(region="us-east5", project_id="p"),
    "genai": lambda: genai.Client(api_key="k"),
    "Mistral": lambda: mistralai.client.Mistral(api_key="k"),
    "cohere": lambda: cohere.Client(api_key="k"),
    "ClientV2": lambda: cohere.ClientV2(api_key="k"),
    "AsyncClientV2": lambda: cohere.AsyncClientV2(api_key="k"),
}


@pytest.mark.parametrize("name", CLIENTS)
def test_clients_are_watched_from_when_they_are_made(name: str) -> None:
    before = CLIENTS[name]()
    costspan.instrument()
    made = CLIENTS[name]()

    assert is_watched(made)
    assert not is_watched(before)
    costspan.uninstrument()
    assert not is_watched(made)
    assert not is_watched(CLIENTS[name]())


def test_a_call_is_recorded(memory: costspan.InMemoryExporter, frame_server: FrameServer) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)
    costspan.instrument()
    with openai.OpenAI(api_key="k", base_url=f"{frame_server.url}/v1") as client:
        assert ask(client) == "One two three."

    (call,) = memory.calls
    # 600 x $2.50 + 400 x $1.25 (cached) + 100 x $10 per million tokens.
    assert call.cost_usd == Decimal("0.003")


def test_the_module_client_of_openai(
    memory: costspan.InMemoryExporter, frame_server: FrameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)
    monkeypatch.setattr(openai, "api_key", "k")
    monkeypatch.setattr(openai, "base_url", f"{frame_server.url}/v1/")
    costspan.instrument()
    openai.chat.completions.create(model="gpt-4o", messages=HI)
    openai._load_client().close()
    openai._reset_client()

    assert len(memory.calls) == 1


def test_twice_is_a_no_op() -> None:
    costspan.instrument()
    followed = [openai.OpenAI.__init__, *sys.meta_path]
    costspan.instrument()

    assert [openai.OpenAI.__init__, *sys.meta_path] == followed


def test_the_last_meter_that_is_given_counts(
    memory: costspan.InMemoryExporter, frame_server: FrameServer
) -> None:
    """As under ``costspan run``, where a program may have a Meter of its own."""
    frame_server.json(CHAT, wire.CHAT_BODY)
    mine = costspan.InMemoryExporter()
    costspan.instrument()
    with openai.OpenAI(api_key="k", base_url=f"{frame_server.url}/v1") as client:
        costspan.instrument(costspan.Meter(exporters=[mine]))
        costspan.instrument()
        ask(client)

    assert (len(memory.calls), len(mine.calls)) == (0, 1)


def test_an_explicit_wrap_wins(
    memory: costspan.InMemoryExporter, frame_server: FrameServer
) -> None:
    frame_server.json(CHAT, wire.CHAT_BODY)
    mine = costspan.InMemoryExporter()
    meter = costspan.Meter(exporters=[mine])
    costspan.instrument()
    with openai.OpenAI(api_key="k", base_url=f"{frame_server.url}/v1") as client:
        assert costspan.wrap(client, meter=meter) is client
        ask(client)
        ask(client.with_options(timeout=5))
        costspan.uninstrument()
        ask(client)

    assert (len(memory.calls), len(mine.calls)) == (0, 3)


def test_what_is_cached_passes_unwatched_afterwards(
    memory: costspan.InMemoryExporter, frame_server: FrameServer
) -> None:
    """SDKs keep ``with_raw_response``, users keep bound methods."""
    frame_server.json(CHAT, wire.CHAT_BODY)
    costspan.instrument()
    with openai.OpenAI(api_key="k", base_url=f"{frame_server.url}/v1") as client:
        raw = client.chat.completions.with_raw_response
        request = client.request
        raw.create(model="gpt-4o", messages=HI)
        costspan.uninstrument()
        raw.create(model="gpt-4o", messages=HI)
        client.request = request  # type: ignore[method-assign]  # as if something had kept it
        assert ask(client) == "One two three."

    assert len(memory.calls) == 1
    assert len(frame_server.requests) == 3


def test_classes_are_what_they_were() -> None:
    own = {kind: kind.__init__ for kind in (openai.OpenAI, anthropic.Anthropic, genai.Client)}
    signature = inspect.signature(openai.OpenAI)
    costspan.instrument()

    assert inspect.signature(openai.OpenAI) == signature
    assert pickle.loads(pickle.dumps(openai.OpenAI)) is openai.OpenAI
    assert type(openai.OpenAI(api_key="k")) is openai.OpenAI
    assert openai.OpenAI.__init__.__qualname__ == "OpenAI.__init__"
    costspan.uninstrument()
    for kind, initialise in own.items():
        assert kind.__init__ is initialise


def test_a_subclass_is_watched_when_it_is_whole() -> None:
    class Own(cohere.ClientV2):
        def __init__(self) -> None:
            super().__init__(api_key="k")
            self.team = "search"

    costspan.instrument()
    made = Own()

    assert is_watched(made)
    assert made.team == "search"


def test_an_error_of_a_client_is_the_same_error(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.delenv(name, raising=False)
    costspan.instrument()
    with pytest.raises(openai.OpenAIError, match="OPENAI_API_KEY"):
        openai.OpenAI()


def test_clients_are_freed() -> None:
    costspan.instrument()
    reference = weakref.ref(openai.OpenAI(api_key="k"))
    gc.collect()

    assert reference() is None


def test_a_thousand_times_leaves_nothing() -> None:
    def sizes() -> tuple[int, ...]:
        return (
            len(sys.meta_path),
            len(vars(openai.OpenAI)),
            len(vars(openai)),
            len(gc.get_objects()),
        )

    costspan.instrument()
    costspan.uninstrument()
    gc.collect()
    *before, objects = sizes()
    for _ in range(1000):
        costspan.instrument()
        costspan.uninstrument()
    gc.collect()
    *after, more_objects = sizes()

    assert after == before
    assert more_objects - objects < 500


def test_disabled_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSTSPAN_DISABLED", "1")
    costspan.instrument()

    assert zero_code._installed is None
    assert not is_watched(openai.OpenAI(api_key="k"))


def test_a_wrong_configuration_is_said_at_once(home: Path) -> None:
    Path("costspan.toml").write_text("nope = 1")
    with pytest.raises(ConfigError, match="unknown key 'nope'"):
        costspan.instrument()


def test_names_that_are_followed_exist() -> None:
    """Of the SDKs that are installed here; the others have the same test in their environment."""
    for name in ("openai", "anthropic", "google.genai", "mistralai.client", "cohere"):
        module = importlib.import_module(name)
        assert [each for each in FOLLOWED[name].classes if not hasattr(module, each)] == []


# SDKs that are imported later, and those that are not what they were.

SDK = """
class Groq:
    base_url = "https://api.groq.com"
    def __init__(self, key): self.key = key
    def request(self, *args): ...
    def post(self): ...
    def copy(self): ...
    with_options = copy
"""


@pytest.fixture
def forget_groq() -> Iterator[None]:
    yield
    sys.modules.pop("groq", None)


@pytest.fixture
def package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget_groq: None
) -> Callable[[str], Path]:
    def write(code: str) -> Path:
        (tmp_path / "groq.py").write_text(code)
        monkeypatch.syspath_prepend(tmp_path)
        return tmp_path / "groq.py"

    return write


def test_a_later_import(package: Callable[[str], Path]) -> None:
    package(SDK)
    costspan.instrument()
    groq = importlib.import_module("groq")

    assert is_watched(groq.Groq("k"))
    assert type(groq.__loader__) is SourceFileLoader
    assert groq.__spec__ is not None
    assert groq.__spec__.loader is groq.__loader__
    assert "exec_module" not in vars(groq.__loader__)
    costspan.uninstrument()
    assert groq.Groq.__init__.__qualname__ == "Groq.__init__"
    assert not hasattr(groq.Groq.__init__, "__wrapped__")


def test_a_package_in_a_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As google.genai is one: the folder ``google`` belongs to nobody."""
    (tmp_path / "space").mkdir()
    (tmp_path / "space/sdk.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    imported = []
    hook = ImportHook(
        {"space.sdk"}, lambda name, _: imported.append(name), lambda _, run, *args: run(*args)
    )
    hook.install()
    try:
        importlib.import_module("space.sdk")
    finally:
        hook.remove()
        for name in ("space.sdk", "space"):
            del sys.modules[name]

    assert imported == ["space.sdk"]


def test_a_reload(package: Callable[[str], Path]) -> None:
    package(SDK)
    costspan.instrument()
    groq = importlib.import_module("groq")
    former = groq.Groq
    importlib.reload(groq)

    assert groq.Groq is not former
    assert is_watched(groq.Groq("k"))


def test_an_sdk_in_a_zip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget_groq: None
) -> None:
    """All modules of a zip have one loader."""
    with zipfile.ZipFile(tmp_path / "sdk.zip", "w") as archive:
        archive.writestr("groq.py", "import groq_helper\n" + SDK)
        archive.writestr("groq_helper.py", "")
    monkeypatch.syspath_prepend(tmp_path / "sdk.zip")
    costspan.instrument()
    groq = importlib.import_module("groq")
    del sys.modules["groq_helper"]

    assert is_watched(groq.Groq("k"))
    assert "exec_module" not in vars(groq.__loader__)


def test_a_spec_that_is_found_and_never_loaded(package: Callable[[str], Path]) -> None:
    """As libraries ask whether an SDK is installed."""
    package(SDK)
    costspan.instrument()
    spec = importlib.util.find_spec("groq")

    assert spec is not None
    assert "groq" not in sys.modules


def test_another_hook_that_asks_all_finders(package: Callable[[str], Path]) -> None:
    """wrapt's and ddtrace's import hooks call ``find_spec`` again from within."""
    asked: list[str] = []

    class Other:
        def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
            if name != "groq" or asked:
                return None
            asked.append(name)
            return importlib.util.find_spec(name)

    package(SDK)
    other = Other()
    costspan.instrument()
    sys.meta_path.insert(0, other)
    try:
        groq = importlib.import_module("groq")
    finally:
        sys.meta_path.remove(other)

    assert is_watched(groq.Groq("k"))


def test_threads_that_import_at_once(package: Callable[[str], Path]) -> None:
    package("import time; time.sleep(0.05)\n" + SDK)
    costspan.instrument()
    found = []

    def load() -> None:
        found.append(is_watched(importlib.import_module("groq").Groq("k")))

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [True] * 8


def test_an_import_that_is_under_way(package: Callable[[str], Path]) -> None:
    """Another thread is in the midst of importing an SDK when everything is instrumented."""
    package("import time; time.sleep(0.2)\n" + SDK)
    thread = threading.Thread(target=importlib.import_module, args=("groq",))
    thread.start()
    while "groq" not in sys.modules:
        pass
    costspan.instrument()
    thread.join()

    assert is_watched(sys.modules["groq"].Groq("k"))


def test_an_import_that_fails_is_the_same_error(package: Callable[[str], Path]) -> None:
    package("raise LookupError('no licence')")
    costspan.instrument()
    with pytest.raises(LookupError, match="no licence"):
        importlib.import_module("groq")
    package(SDK)
    importlib.invalidate_caches()

    assert is_watched(importlib.import_module("groq").Groq("k"))


@pytest.mark.parametrize("code", ["", "Groq = 3", "class Groq: __slots__ = ()\nAsyncGroq = None"])
def test_an_sdk_that_is_another_breaks_nothing(
    package: Callable[[str], Path], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    package(code)
    costspan.instrument()
    importlib.import_module("groq")

    assert is_watched(openai.OpenAI(api_key="k"))
    assert zero_code._installed is not None
    guard = zero_code._installed.guard
    assert guard is not None
    if code == "":
        assert guard.failures == {"instrument: follow groq": 1}
        assert len(caplog.records) == 1


def test_a_loader_that_cannot_be_followed(caplog: pytest.LogCaptureFixture) -> None:
    class Loader:
        __slots__ = ()

        def create_module(self, spec: ModuleSpec) -> None:
            return None

        def exec_module(self, module: ModuleType) -> None:
            module.__dict__["ran"] = True

    class Finder:
        def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
            return ModuleSpec(name, Loader()) if name == "strange" else None  # type: ignore[arg-type]  # no Loader of Python's

    instrumentation = Instrumentation(costspan.Meter)
    hook = ImportHook({"strange"}, lambda *_: None, instrumentation._guarded)
    finder = Finder()
    sys.meta_path.insert(0, finder)
    hook.install()
    try:
        assert importlib.import_module("strange").ran
    finally:
        hook.remove()
        sys.meta_path.remove(finder)
        del sys.modules["strange"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_nothing_is_imported_for_it(tmp_path: Path) -> None:
    code = (
        "import sys, costspan; costspan.instrument(); "
        "print([m for m in ('openai', 'anthropic', 'google', 'botocore', 'cohere', 'duckdb', "
        "'tiktoken', 'opentelemetry', 'httpx') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
