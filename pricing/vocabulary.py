"""tiktoken's vocabularies, vendored: loaded from the package, checked, without network or registry.

Loading takes a quarter of a second and 45 MB, so it is done once, when first needed, and never
at import. The data and the splitting patterns are tiktoken's (MIT, see NOTICE).
"""

from __future__ import annotations

import gzip
import hashlib
import logging
import os
import threading
import zlib
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiktoken import Encoding

logger = logging.getLogger(__name__)

SHA256 = {
    "o200k_base": "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    "cl100k_base": "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
}
"""SHA-256 of each vocabulary as tiktoken publishes it (tiktoken_ext/openai_public.py, 0.14)."""

_CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER, _LOWER = r"\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}", r"\p{Ll}\p{Lm}\p{Lo}\p{M}"
_PATTERNS = {
    "o200k_base": "|".join(
        (
            rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]*[{_LOWER}]+{_CONTRACTION}",
            rf"[^\r\n\p{{L}}\p{{N}}]?[{_UPPER}]+[{_LOWER}]*{_CONTRACTION}",
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        )
    ),
    "cl100k_base": "|".join(
        (
            r"'(?i:[sdmt]|ll|ve|re)",
            r"[^\r\n\p{L}\p{N}]?+\p{L}++",
            r"\p{N}{1,3}+",
            r" ?[^\s\p{L}\p{N}]++[\r\n]*+",
            r"\s++$",
            r"\s*[\r\n]",
            r"\s+(?!\S)",
            r"\s",
        )
    ),
}


class VocabularyError(Exception):
    """A vendored vocabulary is missing or damaged: reinstall the package to repair it."""


class Vocabularies:
    """The vocabularies of a folder and the state of their loading.

    Args:
        folder: Holds ``<name>.tiktoken.gz``; the package's own by default.
    """

    def __init__(self, folder: Path = Path(__file__).parent) -> None:
        self._folder = folder
        self._encodings: dict[str, Encoding] = {}
        self._errors: dict[str, VocabularyError] = {}
        # A child that is forked in the midst of an import has a module that nobody ends importing.
        self._importing = threading.RLock()
        self.forget_loading()
        if hasattr(os, "register_at_fork"):  # Windows does not fork
            os.register_at_fork(
                before=self._importing.acquire,
                after_in_parent=self._importing.release,
                after_in_child=self._importing.release,
            )
            os.register_at_fork(after_in_child=self.forget_loading)

    def forget_loading(self) -> None:
        """Drop locks and threads: after a fork, the child has not the threads that hold them."""
        self._locks = {name: threading.Lock() for name in SHA256}
        self._threads: dict[str, threading.Thread] = {}

    def load(self, name: str) -> Encoding:
        """Give an encoding, loading it first if need be.

        Raises:
            VocabularyError: It is unknown, missing or damaged; this is logged once.
        """
        if name not in SHA256:
            raise VocabularyError(f"no vocabulary {name!r}: there are {', '.join(SHA256)}")
        with self._locks[name]:
            if name in self._errors:
                raise self._errors[name]
            if name not in self._encodings:
                try:
                    with self._importing:
                        import tiktoken  # noqa: F401
                    self._encodings[name] = _build(name, self._folder)
                except VocabularyError as error:
                    self._errors[name] = error
                    logger.warning("%s; tokens are counted by a heuristic instead", error)
                    raise
            return self._encodings[name]

    def loaded(self, name: str) -> Encoding | None:
        """Give an encoding if it is there; never waits."""
        return self._encodings.get(name)

    def load_in_background(self, name: str) -> None:
        """Start loading in a daemon thread, unless it is loaded, being loaded or damaged."""
        if name in self._encodings or name in self._errors or name in self._threads:
            return
        thread = threading.Thread(
            target=self._load_quietly, args=(name,), name=f"costspan-{name}", daemon=True
        )
        if self._threads.setdefault(name, thread) is thread:
            try:
                # tiktoken imports it, and it registers with fork: in the background that could be
                # between the beginning of a fork and its end, which Python reports as an error.
                import concurrent.futures.thread  # noqa: F401

                thread.start()
            except RuntimeError:  # the interpreter shuts down, or the system has no thread left
                logger.debug("%s was not loaded", name)

    def _load_quietly(self, name: str) -> None:
        try:
            self.load(name)
        except (VocabularyError, RuntimeError, ImportError):
            # The last two come from importing tiktoken while the interpreter shuts down.
            logger.debug("%s was not loaded", name)


def _build(name: str, folder: Path) -> Encoding:
    """Read, check and compile one vocabulary."""
    path = folder / f"{name}.tiktoken.gz"
    try:
        raw = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise VocabularyError(f"vocabulary {name} cannot be read: reinstall costspan") from error
    if hashlib.sha256(raw).hexdigest() != SHA256[name]:
        raise VocabularyError(f"vocabulary {name} is damaged: reinstall costspan")
    from tiktoken import Encoding

    # Rank equals line number in these files, so the numbers need not be parsed.
    ranks = {b64decode(line.partition(b" ")[0]): i for i, line in enumerate(raw.splitlines())}
    encoding = Encoding(
        f"costspan-{name}", pat_str=_PATTERNS[name], mergeable_ranks=ranks, special_tokens={}
    )
    # Only the compiled core counts tokens; the Python copy of the ranks would keep 33 MB.
    encoding._mergeable_ranks = {}
    return encoding


_vocabularies: Vocabularies | None = None
_creation = threading.Lock()


def vocabularies() -> Vocabularies:
    """Give the package's own vocabularies; made when first asked for."""
    global _vocabularies
    if _vocabularies is None:
        with _creation:
            if _vocabularies is None:
                _vocabularies = Vocabularies()
    return _vocabularies


def load(name: str) -> Encoding:
    """Give one of the package's encodings, waiting until it is loaded. See `Vocabularies.load`."""
    return vocabularies().load(name)


def loaded(name: str) -> Encoding | None:
    """Give one of the package's encodings if it is loaded; never waits."""
    return vocabularies().loaded(name)


def load_in_background(name: str) -> None:
    """Start loading one of the package's encodings in a daemon thread."""
    vocabularies().load_in_background(name)
