"""AWS signatures, version 4, by botocore (the extra ``costspan[bedrock]``).

Rules as of 2026-11: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from costspan.core.aws_frames import require_botocore
from costspan.core.errors import AuthenticationError, BadRequestError

_SERVICE = "bedrock"

# Also the FIPS hosts, those of VPC endpoints and those of China.
_HOST = re.compile(
    r"(?:^|\.)bedrock-runtime(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?$"
)

# What decides which credentials botocore finds: where one changes, it looks again.
_VARIABLES = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


# At DEBUG botocore logs all that it signs, the session token and the signature included.
_signing: ContextVar[bool] = ContextVar("_signing", default=False)


def _is_not_ours(_: logging.LogRecord) -> bool:
    return not _signing.get()


def signature(url: str, body: bytes, *, region: str | None) -> Mapping[str, str]:
    """The headers that sign a request to Bedrock with the credentials of the AWS tools.

    They are looked for as the AWS tools do: in the environment, the profile, the role of the
    machine. They are kept for the process, and refreshed when they expire, which may take a
    request to AWS.

    Args:
        url, body: What is sent, by POST. Headers but ``host`` are not signed.
        region: The region to sign for, where the host does not name one; else that of the
            environment or the profile.

    Returns:
        ``authorization``, ``x-amz-date`` and, for temporary credentials,
        ``x-amz-security-token``.

    Raises:
        AuthenticationError: There are no credentials, or they cannot be refreshed.
        BadRequestError: botocore is not installed, or no region is known.
    """
    require_botocore("Bedrock without an API key")
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    session = _session(os.getpid(), *map(os.environ.get, _VARIABLES))
    credentials = _credentials(session)
    signer = SigV4Auth(credentials, _SERVICE, _region(url, region, session))
    request = AWSRequest("POST", url, data=body)
    logging.getLogger(SigV4Auth.__module__).addFilter(_is_not_ours)  # once, however often asked
    signing = _signing.set(True)
    try:
        signer.add_auth(request)
    finally:
        _signing.reset(signing)
    return {name.lower(): value for name, value in request.headers.items()}


@lru_cache(maxsize=4)
def _session(process: int, *environment: str | None) -> Any:
    """The session that keeps the credentials; one a process, for it holds locks."""
    from botocore.session import get_session

    return get_session()


def _credentials(session: Any) -> Any:
    """The credentials as they are now."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = session.get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    except (BotoCoreError, ClientError, RuntimeError) as error:
        raise _no_credentials(f"{type(error).__name__}: {error}") from error
    if frozen is None or not frozen.access_key:
        raise _no_credentials("there are none in the environment, the profile or the role")
    return frozen


def _no_credentials(reason: str) -> AuthenticationError:
    return AuthenticationError(
        f"no AWS credentials for Bedrock ({reason}): set AWS_BEARER_TOKEN_BEDROCK or pass "
        "api_key=, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        provider="aws",
    )


def _region(url: str, region: str | None, session: Any) -> str:
    """The region to sign for: a host that names one takes no other."""
    host = _HOST.search(urlsplit(url).hostname or "")
    found = host["region"] if host else region or session.get_config_variable("region")
    if not found:
        raise BadRequestError(
            "a signature for Bedrock needs a region: pass region= or set AWS_REGION",
            provider="aws",
        )
    return str(found)
