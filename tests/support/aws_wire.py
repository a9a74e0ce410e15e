"""AWS event-stream frames, written by hand after https://smithy.io/2.0/aws/amazon-eventstream.html,
and a signature of version 4 computed after AWS's own description of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import zlib
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

FRAMES = {"content-type": "application/vnd.amazon.eventstream"}
"""The response header of a stream."""

_TEXT = 7


def frame(payload: bytes, **headers: str) -> bytes:
    """A frame with text headers; ``message_type`` stands for ``:message-type``."""
    head = b""
    for name, value in headers.items():
        key, text = b":" + name.replace("_", "-").encode(), value.encode()
        head += struct.pack("!B", len(key)) + key
        head += struct.pack("!BH", _TEXT, len(text)) + text
    prelude = struct.pack("!II", 4 + 4 + 4 + len(head) + len(payload) + 4, len(head))
    start = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return start + struct.pack("!I", zlib.crc32(start))


def event(kind: str, **payload: object) -> bytes:
    """The frame of an event, with the padding that Bedrock puts in."""
    body = json.dumps({**payload, "p": "abcd"}, ensure_ascii=False).encode()
    return frame(body, event_type=kind, content_type="application/json", message_type="event")


def exception(kind: str, **payload: object) -> bytes:
    """The frame of an exception that the service models."""
    body = json.dumps(payload).encode()
    return frame(
        body, exception_type=kind, content_type="application/json", message_type="exception"
    )


def packed(inner: Mapping[str, object]) -> bytes:
    """A chunk of InvokeModelWithResponseStream: another wire format's event in base64."""
    return event("chunk", bytes=base64.b64encode(json.dumps(inner).encode()).decode())


def signature_v4(
    url: str, body: bytes, *, key_id: str, secret: str, token: str | None, date: str, region: str
) -> str:
    """The ``authorization`` header of a POST to Bedrock, its host, date and token signed.

    Steps as of 2026-11:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    parts = urlsplit(url)
    signed = {"host": parts.netloc, "x-amz-date": date}
    if token:
        signed["x-amz-security-token"] = token
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        (
            "POST",
            # Encoded once more, as every service but S3 wants it.
            quote(parts.path, safe="/-_.~"),
            parts.query,
            *(f"{name}:{signed[name]}" for name in sorted(signed)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{date[:8]}/{region}/bedrock/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = "\n".join(("AWS4-HMAC-SHA256", date, scope, digest))
    key = b"AWS4" + secret.encode()
    for step in (date[:8], region, "bedrock", "aws4_request", to_sign):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, "
        f"Signature={key.hex()}"
    )
