"""What an import takes: processor time and memory of ``costspan import``, with made-up logs.

Usage: python benchmarks/imports.py [LINES]   (200,000 lines of Claude Code, a quarter as many rows)
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 10, 1, tzinfo=UTC)
COPIES = 3
"""Lines of one answer while it streams."""
TEXT = "x" * 2400
"""As long as what a line of a session holds beside its usage; it is never looked at."""


def claude_code(path: Path, lines: int) -> None:
    """Write a session log."""
    with open(path, "w", encoding="utf-8") as file:
        for number in range(lines):
            answer, copy = divmod(number, COPIES)
            usage = {
                "input_tokens": 4,
                "cache_creation_input_tokens": answer % 5000,
                "cache_read_input_tokens": 20_000 + answer % 9000,
                "output_tokens": (copy + 1) * (20 + answer % 300),
            }
            message = {
                "id": f"msg_{answer:024d}",
                "model": "claude-sonnet-4-5-20250929",
                "stop_reason": "end_turn" if copy == COPIES - 1 else None,
                "content": [{"type": "text", "text": TEXT}],
                "usage": usage,
            }
            entry = {
                "type": "assistant",
                "timestamp": (START + timedelta(seconds=answer)).isoformat(),
                "sessionId": f"session-{answer // 100}",
                "cwd": f"/home/me/project-{answer % 7}",
                "message": message,
            }
            file.write(json.dumps(entry) + "\n")


def spend_log(path: Path, rows: int) -> None:
    """Write an export of LiteLLM's table as CSV."""
    names = ["request_id", "call_type", "spend", "total_tokens", "prompt_tokens"]
    names += ["completion_tokens", "startTime", "endTime", "model", "custom_llm_provider"]
    names += ["metadata", "request_tags", "end_user", "messages"]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for number in range(rows):
            at = START + timedelta(seconds=number)
            used, made = 1000 + number % 4000, 20 + number % 300
            ends = [at.isoformat(), (at + timedelta(seconds=2)).isoformat()]
            counts = [used + made, used, made, *ends, "gpt-4o", "openai"]
            rest = ['{"user_api_key_alias": "batch"}', '["feature:search"]', "u1", TEXT[:1000]]
            writer.writerow([f"id-{number}", "acompletion", "0.01", *counts, *rest])


def measured(make: Callable[[Path, int], None], name: str, count: int) -> None:
    """Make a log, import it twice, and print what that took."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, name)
        make(log, count)
        words = [sys.executable, "-m", "costspan", "import", str(log), "--home", f"{folder}/home"]
        for which in ("first", "again"):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            started = time.perf_counter()
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
            wall_s = time.perf_counter() - started
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            print(
                f"{name}, {count:,} lines ({os.path.getsize(log) >> 20} MB), {which}: "
                f"{used_s:.1f} s of processor time, {wall_s:.1f} s, "
                f"peak of all so far {after.ru_maxrss >> 10} MB"
            )


if __name__ == "__main__":
    lines = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    measured(claude_code, "session.jsonl", lines)
    measured(spend_log, "spend.csv", lines // 4)
