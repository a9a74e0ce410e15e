"""``costspan.litellm_callback``: calls of LiteLLM recorded by its callbacks, without a ``wrap``.

For LiteLLM's proxy, and for programs that cannot be changed but configured. Checked with litellm
1.110 (2026-11); what a callback is given: https://docs.litellm.ai/docs/observability/custom_callback
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from costspan.core.observation import Observation
from costspan.core.protocols import load, recognise
from costspan.meter import default_meter
from costspan.middleware.fields import reply_fields
from costspan.middleware.known_functions import known_api
from costspan.middleware.litellm_reply import hidden_params, served_model
from costspan.middleware.noting import note
from costspan.middleware.recent_ids import RecentIds
from costspan.middleware.request import AskedCall, from_arguments, served_by
from costspan.middleware.running import running
from costspan.middleware.tags import metadata_tags

_REMEMBERED = 4096
"""How many of the newest calls are known to have been recorded."""

_ALIASES = (
    "user_api_key_alias",
    "user_api_key_team_id",
    "user_api_key_team_alias",
    "user_api_key_org_id",
    "user_api_key_org_alias",
    "user_api_key_project_alias",
    "user_api_key_user_id",
    "user_api_key_end_user_id",
)
"""Who called the proxy, by names that are no secret; each becomes a tag."""

_OF_ROUTER = ("api_base", "deployment", "model_group", "model_group_size", "deployment_model_name")
"""What LiteLLM adds to the user's own metadata."""


class CallbackRecorder:
    """The hooks of a LiteLLM callback; each call is recorded once, in the default Meter."""

    def __init__(self) -> None:
        super().__init__()
        self._recorded = RecentIds(_REMEMBERED)
        self._lock = threading.Lock()

    def log_pre_api_call(self, model: Any, messages: Any, kwargs: Mapping[str, Any]) -> None:
        """A request is about to be sent, in the context of its call: wrapped ones are noted."""
        if running.get() is not None:
            for succeeded in (True, False):
                self._is_new(kwargs, succeeded)

    def log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """A call has ended well."""
        self._record(kwargs, response_obj, start_time, end_time, succeeded=True)

    def log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """A call has failed."""
        self._record(kwargs, response_obj, start_time, end_time, succeeded=False)

    async def async_log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """An asynchronous call has ended well."""
        self._record(kwargs, response_obj, start_time, end_time, succeeded=True)

    async def async_log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        """An asynchronous call has failed."""
        self._record(kwargs, response_obj, start_time, end_time, succeeded=False)

    def _record(
        self,
        kwargs: Mapping[str, Any],
        response: object,
        start_time: object,
        end_time: object,
        *,
        succeeded: bool,
    ) -> None:
        if not isinstance(start_time, datetime) or not isinstance(end_time, datetime):
            return
        if running.get() is None and self._is_new(kwargs, succeeded):
            default_meter().guard.run(
                "LiteLLM's callback", _note, kwargs, response, start_time, end_time, succeeded
            )

    def _is_new(self, kwargs: Mapping[str, Any], succeeded: bool) -> bool:
        """Whether a call was not reported before: some are by the plain and the async hook."""
        identity = kwargs.get("litellm_call_id")
        with self._lock:
            return identity is None or self._recorded.add(f"{identity} {succeeded}")


def _note(
    kwargs: Mapping[str, Any],
    response: object,
    start_time: datetime,
    end_time: datetime,
    succeeded: bool,
) -> None:
    said = kwargs.get("standard_logging_object") or {}
    asked = _asked(kwargs, said)
    seen = _seen(response if succeeded else None, asked.api)
    error = None if succeeded else kwargs.get("exception")
    if not succeeded and error is None:
        seen.error_type = (said.get("error_information") or {}).get("error_class") or "error"
    seen.unbilled = said.get("cache_hit") is True or kwargs.get("cache_hit") is True
    first = kwargs.get("completion_start_time") if asked.streaming else None
    note(
        default_meter(),
        asked,
        seen,
        started_at=start_time.astimezone(UTC),
        ended_at=end_time.astimezone(UTC),
        first_chunk_at=first.astimezone(UTC) if isinstance(first, datetime) else None,
        ended_by="exhausted" if asked.streaming and succeeded else None,
        error=error if isinstance(error, BaseException) else None,
    )


def _asked(kwargs: Mapping[str, Any], said: Mapping[str, Any]) -> AskedCall:
    params = kwargs.get("litellm_params") or {}
    arguments = {**(kwargs.get("optional_params") or {}), **kwargs}
    arguments.pop("metadata", None)
    call_type = said.get("call_type") or kwargs.get("call_type")
    asked = from_arguments(arguments, api=known_api(call_type) or "chat")
    provider = said.get("custom_llm_provider") or kwargs.get("custom_llm_provider")
    base_url = params.get("api_base") or said.get("api_base")
    if provider:
        asked = served_by(asked, provider, base_url if isinstance(base_url, str) else "")
    mocked = params.get("mock_response") is not None
    return asked._replace(tags=_tags(params, said), unbilled=asked.unbilled or mocked)


def _tags(params: Mapping[str, Any], said: Mapping[str, Any]) -> Mapping[str, str]:
    """Tags of the request, who called the proxy, and the session."""
    metadata = params.get("metadata") or {}
    known = said.get("metadata") or {}
    by_proxy = "user_api_key_hash" in metadata or "user_api_key" in metadata
    own = known.get("requester_metadata") if by_proxy else metadata
    own = {name: value for name, value in (own or {}).items() if name not in _OF_ROUTER}
    if said.get("request_tags"):
        own["tags"] = said["request_tags"]
    callers = {name: known[name] for name in _ALIASES if known.get(name)}
    session = params.get("litellm_session_id") or said.get("session_id")
    return metadata_tags({**callers, **({"session_id": session} if session else {}), **own})


def _seen(response: object, api: str) -> Observation:
    """What an answer says; nothing where there is none."""
    fields = reply_fields(response) or {}
    seen = Observation(recognise(fields) or api)
    protocol = load(seen.api)
    if fields:
        protocol.observe(fields, seen)
        seen.model = served_model(hidden_params(response)) or seen.model
        seen.complete = True
    return seen


def _made() -> object:
    try:
        base = import_module("litellm.integrations.custom_logger").CustomLogger
    except ImportError as error:
        raise ImportError(
            "costspan.litellm_callback needs LiteLLM in this environment: pip install litellm"
        ) from error
    return type("CostspanCallback", (CallbackRecorder, base), {})()


litellm_callback = _made()
