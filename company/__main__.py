"""`python -m company` serves the pages; `--check` tells whether the utilities know us, `--scope` what we ask for."""

from __future__ import annotations

import logging
import sys

from werkzeug.serving import make_server

from . import oauth, utilities
from .app import create_app
from .oauth import Ended
from .pages import HERE
from .scope import ASKED
from .settings import Settings
from .utilities import NotNow


def check(settings: Settings) -> int:
    """Ask each utility for a token of our own; how many refused."""
    refused = 0
    for code, utility in utilities.read(settings.utilities).items():
        try:
            oauth.own(utility)
            print(f"{code}: {utility.name} knows us.")
        except (NotNow, Ended) as error:
            refused += 1
            print(f"{code}: {error}")
    return refused


def serve(settings: Settings) -> None:
    """The pages, and the worker beside them."""
    # Codes stand in addresses for a moment: keep them out of logs.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    app = create_app(settings)
    server = make_server("127.0.0.1", settings.port, app, threaded=True)
    app.extensions[HERE].worker.start()
    server.serve_forever()


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            serve(Settings.load())
        case ["--check"]:
            sys.exit(check(Settings.load()))
        case ["--scope"]:
            print(ASKED)
        case _:
            sys.exit(__doc__)
