"""How a request shows that it may be answered: a key in a header, or a signature."""

from __future__ import annotations

from collections.abc import Mapping

from costspan.core.endpoint import Endpoint


def authorisation(
    endpoint: Endpoint, key: str | None, *, url: str, body: bytes
) -> Mapping[str, str]:
    """The headers that authorise a request.

    Args:
        endpoint: Who is asked.
        key: The API key; None for servers that need none, and for AWS credentials.
        url, body: What is sent, for signatures.

    Raises:
        AuthenticationError: A signature is needed, and there are no credentials for it.
    """
    if key is None:
        if endpoint.auth == "aws" and endpoint.key_required:
            from costspan.core.sigv4 import signature

            return signature(url, body, region=endpoint.defaults.get("region"))
        return {}
    if endpoint.auth in ("bearer", "aws") or _is_token(key):
        return {"authorization": f"Bearer {key}"}
    return {endpoint.auth: key}


def _is_token(key: str) -> bool:
    """Whether a key is a signed token (JWT, RFC 7519), as Microsoft Entra gives them for Azure.

    Those are always bearer tokens, and no provider's keys look like them.
    """
    return key.startswith("eyJ") and key.count(".") == 2
