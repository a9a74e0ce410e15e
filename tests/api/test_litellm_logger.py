"""The callback for LiteLLM where there is no LiteLLM; with it: tests/other_sdks."""

from __future__ import annotations

import sys

import pytest

import costspan


def test_without_litellm_the_error_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litellm.integrations.custom_logger", None)

    with pytest.raises(ImportError, match="needs LiteLLM in this environment: pip install litellm"):
        _ = costspan.litellm_callback
