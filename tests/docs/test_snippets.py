"""Every Python snippet of the README and the docs runs as it stands, against a real server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import wire

if TYPE_CHECKING:
    from tests.conftest import FrameServer

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets() -> list[tuple[str, str]]:
    return [
        (f"{page.name}-{number}", match.group(1))
        for page in PAGES
        for number, match in enumerate(SNIPPET.finditer(page.read_text(encoding="utf-8")), start=1)
    ]


@pytest.mark.parametrize(("name", "code"), snippets(), ids=[name for name, _ in snippets()])
def test_snippet_runs(frame_server: FrameServer, tmp_path: Path, name: str, code: str) -> None:
    frame_server.json("/v1/chat/completions", wire.CHAT_BODY)
    frame_server.json("/v1/messages", wire.MESSAGE_BODY)
    frame_server.json("/v1/embeddings", wire.EMBEDDING_BODY)
    if "def test_" in code:
        (tmp_path / "test_snippet.py").write_text(code, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    else:
        command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={
            **os.environ,
            "COSTSPAN_HOME": str(tmp_path / "home"),
            "OPENAI_BASE_URL": f"{frame_server.url}/v1",
            "OPENAI_API_KEY": "none",
            "ANTHROPIC_BASE_URL": frame_server.url,
            "ANTHROPIC_API_KEY": "none",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_page_is_linked_from_the_readme() -> None:
    readme = PAGES[0].read_text(encoding="utf-8")
    unlinked = [page.name for page in PAGES[1:] if f"docs/{page.name}" not in readme]

    assert unlinked == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    dead = [
        target
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text)
        if not target.startswith(("http://", "https://")) and not (page.parent / target).exists()
    ]

    assert dead == []
