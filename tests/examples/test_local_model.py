"""Examples against a real model on this machine: small, so only the form of its answers counts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from costspan import local_model

if TYPE_CHECKING:
    from tests.examples.conftest import Run


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("04_json_extraction", r".+ is -?\d+ and works as: .*\n"),
        ("06_few_shot", r"\w+ +What a wonderful film!\n\w+ +Two hours that I will .*\n"),
    ],
)
def test_a_real_model_answers(run: Run, local_url: str, name: str, form: str) -> None:
    out = run(name, f"openai/{local_model.MODEL}", url=local_url)

    assert re.fullmatch(form, out, re.DOTALL)
