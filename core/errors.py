"""The errors of the completion core, the same class for the same failure at every provider.

APIError
  APIConnectionError                  no connection, or one that broke
    Timeout                      408  no answer in time (504 alike)
  APIStatusError                      the server answered with a failure of no class of its own
    AuthenticationError          401  no key, or a key that is not accepted
    PermissionDeniedError        403  the key may not do this
    NotFoundError                404  no such model or address
    ConflictError                409  another request is in the way
    BadRequestError              400  the request is wrong
      ContextWindowExceededError      the prompt is too long for the model
      ContentPolicyViolationError     the provider's filter refused
      UnsupportedParamsError          the wire format has no such parameter
      InvalidMessagesError            a message lacks something (`safe_completion`)
    UnprocessableEntityError     422  understood and refused
    RateLimitError               429  too fast: wait `retry_after_s`
      QuotaExceededError              nothing left to spend: waiting does not help
    InternalServerError          500  the provider failed (other 5xx alike)
    ServiceUnavailableError      503
      CircuitOpenError                our own breaker keeps requests from the server
    OverloadedError              529
  APIResponseValidationError          an answer that is none
    JSONSchemaValidationError         no JSON of the shape that was asked for
    EmptyReplyError                   an answer that says nothing (`safe_completion`)

``APITimeoutError`` is another name of `Timeout`, which OpenAI's SDK gives it. As there, a timeout
is a connection error, and all answers with a failing status are status errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from costspan.core.attempt import Attempt
    from costspan.core.reply import Reply


class APIError(Exception):
    """A completion failed. The base of all errors of the core.

    ```python
    try:
        reply = completion("openai/gpt-4o", messages)
    except RateLimitError as error:
        time.sleep(error.retry_after_s or 60)
    except APIError as error:
        print(error.status_code, error.code)
    ```

    Attributes:
        message: What happened and what cures it.
        provider, model: Who was asked for what.
        status_code: The HTTP status; the class's own where there was no response.
        code: The provider's own error code or type.
        request_id: The provider's id of the request, for its support.
        retry_after_s: Seconds to wait as the provider asked; None if it did not say.
        attempts: How many requests were made; 0 where nothing was sent.
        body: The provider's error body, without keys.
        history: The requests that were made, as `costspan.core.attempt.Attempt`.
        failures: The errors of the models that were asked before, where there were fallbacks.
        answered: Whether a server answered; False for broken connections and timeouts.
        sent: Whether the request may have reached the server.
        should_retry: What the server said of sending the request again; None if nothing.
    """

    default_status: ClassVar[int | None] = None

    def __init__(
        self,
        message: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        status_code: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        attempts: int = 0,
        body: Mapping[str, object] | str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.model = model
        self.status_code = self.default_status if status_code is None else status_code
        self.code = code
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.attempts = attempts
        self.body = body
        self.history: tuple[Attempt, ...] = ()
        self.failures: tuple[APIError, ...] = ()
        self.answered = True
        self.sent = True
        self.should_retry: bool | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with all attributes, for worker processes hand errors back."""
        return (type(self), (self.message,), dict(self.__dict__))


class APIConnectionError(APIError):
    """The server could not be reached, or the connection broke.

    Attributes:
        hung_up: Whether the server closed the connection before the first byte of an answer.
    """

    hung_up = False


class Timeout(APIConnectionError):
    """No answer came in time. The provider may have billed the request."""

    default_status = 408


APITimeoutError = Timeout


class APIStatusError(APIError):
    """The server answered with a failure; this class itself where the status has no other."""


class AuthenticationError(APIStatusError):
    """No key was found, or the provider did not accept it."""

    default_status = 401


class PermissionDeniedError(APIStatusError):
    """The key is valid but may not do this."""

    default_status = 403


class NotFoundError(APIStatusError):
    """The provider knows no such model or address."""

    default_status = 404


class ConflictError(APIStatusError):
    """Another request is in the way of this one."""

    default_status = 409


class BadRequestError(APIStatusError):
    """The request is wrong; sending it again fails again."""

    default_status = 400


class ContextWindowExceededError(BadRequestError):
    """The prompt, with the output asked for, is longer than the model's window."""


class ContentPolicyViolationError(BadRequestError):
    """The provider's content filter refused the request."""


class UnsupportedParamsError(BadRequestError):
    """The provider's wire format has no place for a parameter; see ``drop_params``."""


class InvalidMessagesError(BadRequestError, ValueError):
    """Messages that cannot be sent; the text says which one, and what it lacks."""


class UnprocessableEntityError(APIStatusError):
    """The provider understood the request and refuses it."""

    default_status = 422


class RateLimitError(APIStatusError):
    """Too many requests or tokens in a time; ``retry_after_s`` says when to come back."""

    default_status = 429


class QuotaExceededError(RateLimitError):
    """The account has nothing left to spend; waiting does not help."""


class InternalServerError(APIStatusError):
    """The provider failed."""

    default_status = 500


class ServiceUnavailableError(APIStatusError):
    """The provider is out of service for now."""

    default_status = 503


class OverloadedError(APIStatusError):
    """The provider is overloaded; come back later."""

    default_status = 529


class CircuitOpenError(ServiceUnavailableError):
    """Nothing was sent, because too many of the latest requests to the server failed."""


class APIResponseValidationError(APIError):
    """The server answered with something that is no completion."""


class JSONSchemaValidationError(APIResponseValidationError):
    """The answer is no JSON, or not of the shape that was asked for.

    Attributes:
        text: The whole text of the answer. It stands nowhere else, and never in the message.
    """

    def __init__(self, message: str, *, text: str = "", **facts: Any) -> None:
        super().__init__(message, **facts)
        self.text = text


class EmptyReplyError(APIResponseValidationError):
    """The model answered nothing. The call was paid all the same.

    Attributes:
        reply: The reply, with its usage and, where metered, its cost.
    """

    reply: Reply
