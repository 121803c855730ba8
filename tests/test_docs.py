"""What the documents tell people to type works, and prints what they say."""

from __future__ import annotations

import base64
import os
import sys
import uuid
from pathlib import Path

import pytest

from espi_server import clock
from espi_server.accounts.utilities import UnknownUtility
from espi_server.demo import demo
from espi_server.demo.households import named
from espi_server.demo.logins import PASSWORD
from espi_server.energy.feed import FeedChanged
from espi_server.errors import (
    BadRequest,
    BadValue,
    Forbidden,
    Internal,
    MethodNotAllowed,
    NotFound,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)  # fmt: skip
from espi_server.espi.tables import CLASS_BLOCKS
from espi_server.notify import signing
from espi_server.web import explained
from tests import docs, typed
from tests.conftest import ROOT
from tests.demo.prepared import DAYS, empty, served
from tests.person import Person


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory):
    """A folder with a demo in it that is being served, and its port. Its data end yesterday, as anybody's."""
    folder = tmp_path_factory.mktemp("docs")
    demo.prepare(folder / ".demo", days=DAYS)
    (folder / "company").symlink_to(ROOT / "company")
    with served(folder / ".demo") as running:
        yield folder, running.port


@pytest.fixture(scope="module")
def programs():
    """A PATH whose `espi-server` begins at once."""
    with typed.ready() as folder:
        yield os.pathsep.join([str(folder), INSTALLED])


INSTALLED = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
README = ROOT / "README.md"


@pytest.mark.parametrize("document", docs.marked(ROOT, docs.DEMO), ids=lambda path: path.name)
def test_a_document_keeps_its_word_against_the_demo(document, lived_in, programs):
    folder, port = lived_in

    docs.run(
        document,
        folder,
        empty() | {"PATH": programs, "ESPI_DEMO_PORT": str(port)},
        address=f"localhost:{port}",
        person=Reader(),
    )


class Reader:
    """Who reads along plays the customer too, in a browser that remembers her."""

    def __init__(self):
        self.she = Person()

    def __call__(self, address):
        """Open what was printed, do what the document says, and come back with where that ended."""
        self.she.opens(address)
        if "/oauth/authorize?" in address:
            self.shares()
        else:
            self.she.follows("Stop sharing", "Terminal Energy")
            self.she.presses("Stop sharing")
        return self.she.address

    def shares(self):
        self.she.signs_in(named("single").email, PASSWORD)
        self.she.ticks("places")
        self.she.presses("Select what Terminal Energy asks for")
        self.she.presses("Continue", history="all", lasting="stopped")
        self.she.presses("Share my data")


@pytest.mark.parametrize("document", docs.marked(ROOT, docs.SAMPLES), ids=lambda path: path.name)
def test_a_document_keeps_its_word_beside_the_samples(document, tmp_path, programs):
    (tmp_path / "samples").symlink_to(ROOT / "samples")

    # What everybody types first is typed to the program as it was installed.
    docs.run(document, tmp_path, empty() | {"PATH": INSTALLED if document == README else programs})


def test_every_document_with_commands_is_run():
    with_commands = {
        path
        for path in docs.written(ROOT)
        if any(block.language == "sh" for block in docs.blocks(path.read_text("utf-8")))
    }

    assert with_commands == {*docs.marked(ROOT, docs.DEMO), *docs.marked(ROOT, docs.SAMPLES)}


def written(tmp_path, text):
    path = tmp_path / "guide.md"
    path.write_text(text, "utf-8")
    return path


def test_a_block_that_fails_is_named(tmp_path):
    guide = written(
        tmp_path, "Look:\n\n```sh\ntrue\n```\n\n```sh\necho oh no >&2\nfalse\necho not reached\n```\n"
    )

    with pytest.raises(docs.Broken, match=r"guide.md:7 ended with 1: oh no"):
        docs.run(guide, tmp_path, os.environ)


def test_a_promise_that_does_not_come_true_is_named(tmp_path):
    guide = written(tmp_path, "```sh\necho rain\n```\n\n```output\nsun\n```\n")

    with pytest.raises(docs.Broken, match=r"guide.md:5 promises 'sun'"):
        docs.run(guide, tmp_path, os.environ)


def test_blocks_share_one_shell_and_a_block_for_the_eye_is_not_run(tmp_path):
    guide = written(
        tmp_path,
        "```sh\nNAME=you\n```\n\n```\nfalse\n```\n\n```sh\necho hello $NAME\n```\n\n```output\nhello you\n```\n",
    )

    docs.run(guide, tmp_path, os.environ)


def test_a_block_that_ends_in_read_waits_for_a_person_and_types_what_she_comes_back_with(tmp_path):
    guide = written(
        tmp_path,
        "```sh\necho look\necho there\nread -r SAID\n```\n\n```sh\necho $SAID\n```\n\n```output\nThere!\n```\n",
    )

    docs.run(guide, tmp_path, os.environ, person=lambda told: f"{told.capitalize()}!")


def test_every_code_an_answer_can_carry_is_explained():
    told = {code for each in explained.PROBLEMS for code in each.codes}
    answered = [BadRequest, BadValue, Unauthorized, Forbidden, NotFound, UnknownUtility, MethodNotAllowed]

    missing = [
        each().code
        for each in [*answered, TooManyRequests, Internal, Unavailable, FeedChanged]
        if each().code not in told
    ]

    assert missing == []


def test_the_guide_names_the_function_blocks_of_each_class():
    guide = (ROOT / "docs" / "authorization.md").read_text("utf-8")

    for each, blocks in CLASS_BLOCKS.items():
        assert f"| `{each.term}` | {' '.join(map(str, sorted(blocks)))} |" in guide


def test_the_guide_checks_a_signature_as_we_make_it():
    guide = (ROOT / "docs" / "notifications.md").read_text("utf-8")
    [_, by_hand] = [each.text for each in docs.blocks(guide) if each.language == "python"]
    room = {}
    exec(by_hand, room)  # noqa: S102 - what the guide shows
    key, now = b"k" * 24, clock.seconds()
    secret = f"whsec_{base64.b64encode(key).decode()}"
    fresh, old = (
        signing.headers(uuid.uuid4(), at, b"<BatchList/>", [b"next", key]) for at in (now, now - 400)
    )

    assert room["is_ours"](secret, fresh, b"<BatchList/>")
    assert not room["is_ours"](secret, fresh, b"<BatchList />")
    assert not room["is_ours"](secret, old, b"<BatchList/>")


def test_the_guide_and_the_page_explain_errors_alike():
    guide = (ROOT / "docs" / "problems.md").read_text("utf-8")

    for codes, status, words in (*explained.OAUTH, *explained.PROBLEMS):
        assert f"| {', '.join(f'`{each}`' for each in codes)} | {status} | {words} |" in guide
