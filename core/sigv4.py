"""AWS signatures, version 4, by botocore (the extra ``costspan[bedrock]``)."""

from __future__ import annotations

from collections.abc import Mapping


def signature(url: str, body: bytes, *, region: str | None) -> Mapping[str, str]:
    """The headers that sign a request to Bedrock with the credentials of the AWS tools."""
    raise NotImplementedError
