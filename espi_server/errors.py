"""Errors that people read: each class docstring is its message, `status` the HTTP answer, `exit_code` the shell's.

The answers are those of RFC 9457 problem documents; `code` is stable and never reused.
"""

from typing import ClassVar


class Problem(Exception):
    """Something went wrong."""

    status = 400
    exit_code: ClassVar[int] = 1
    headers: dict[str, str]

    def __init__(
        self, detail: str | None = None, *, headers: dict[str, str] | None = None, **more: object
    ) -> None:
        self.detail = detail or (self.__doc__ or "").strip()
        self.headers = headers or {}
        self.more = more
        super().__init__(self.detail)

    @property
    def code(self) -> str:
        """`NotFound` → `not_found`: the stable name of this problem."""
        name = type(self).__name__
        return "".join("_" + letter.lower() if letter.isupper() else letter for letter in name).lstrip("_")

    @property
    def title(self) -> str:
        """The first sentence of the class, for every instance the same."""
        return (self.__doc__ or "").strip().split("\n")[0]


class BadRequest(Problem):
    """The request has a part this server cannot take."""


class BadValue(BadRequest):
    """A parameter has a value this server cannot take."""


class Refused(Problem):
    """The request could not be taken."""

    def __init__(self, detail: str | None, *, status: int) -> None:
        super().__init__(detail)
        self.status = status


class Unauthorized(Problem):
    """No valid token came with this request. Send `Authorization: Bearer …` with a live token."""

    status = 401
    exit_code = 4


class Forbidden(Problem):
    """This token does not open this path."""

    status = 403
    exit_code = 4


class NotFound(Problem):
    """There is nothing at this address."""

    status = 404
    exit_code = 3


class MethodNotAllowed(Problem):
    """This resource does not take that method."""

    status = 405


class UnsupportedMediaType(Problem):
    """The body is of a kind that is not taken here."""

    status = 415


class LengthRequired(Problem):
    """The body has no Content-Length and is not chunked, so nobody can say where it ends."""

    status = 411


class TooManyRequests(Problem):
    """Too much is going on here at once. Wait a moment and ask again."""

    status = 429
    exit_code = 6


class Internal(Problem):
    """The server made a mistake. The request id helps the operator find it."""

    status = 500
    exit_code = 70


class Unavailable(Problem):
    """The server cannot answer just now. Nothing was changed; ask again shortly."""

    status = 503
    exit_code = 6


class Usage(Problem):
    """The command was called in a way it does not understand."""

    exit_code = 2


class Unreadable(Problem):
    """The input cannot be read."""

    exit_code = 3


class Conflict(Problem):
    """This would contradict what is already there."""

    status = 409
