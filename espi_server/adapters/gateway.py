"""Text messages through a gateway that takes JSON by POST."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from espi_server.adapters.http import BadAddress, Client, NoAnswer
from espi_server.adapters.post import Letter, Undelivered

_NUMBER = re.compile(r"\+?[0-9]{7,15}")
_WRONG = (400, 404, 410, 422)  # what the gateway says of the message, not of itself or of us


@dataclass(frozen=True)
class Gateway:
    """A gateway the operator has set: it gets `to`, `text` and `id`, and knows a repetition by the id."""

    url: str
    token: str
    client: Client

    def text(self, letter: Letter) -> None:
        """Hand it over, or raise Undelivered."""
        number = re.sub(r"[\s().-]", "", letter.to)
        if not _NUMBER.fullmatch(number):
            raise Undelivered("The number is not one of a telephone.", final=True)
        body = json.dumps({"to": number, "text": letter.short, "id": str(letter.id)}).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(letter.id)}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            answer = self.client.post(self.url, body, headers)
        except (BadAddress, NoAnswer) as error:
            raise Undelivered(f"The gateway: {error}") from error
        if not answer.is_success:
            raise Undelivered(f"The gateway answered {answer.status}.", final=answer.status in _WRONG)
