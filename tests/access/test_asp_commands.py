"""`espi-server asp …`: applications come, are qualified, get new secrets and go."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, RSAKey
from sqlalchemy import select

from espi_server.access.models import Application
from espi_server.cli import main
from espi_server.db import Database
from tests import make, oauth
from tests.oauth import BACK

Run = Callable[..., Result]


@pytest.fixture
def run(sqlite_url: str) -> Run:
    database = Database(sqlite_url)
    make.utility(database, "north")
    database.close()
    environment = {"ESPI_MODE": "development", "ESPI_DATABASE_URL": sqlite_url}
    return lambda *arguments: CliRunner().invoke(main, ["asp", *arguments], env=environment)


def token(database: Database, client_id: str, secret: str) -> int:
    answer = make.app(database).test_client().post(
        "/north/oauth/token", data={"grant_type": "client_credentials"}, headers=oauth.basic(client_id, secret)
    )  # fmt: skip
    return answer.status_code


def test_an_application_works_once_it_is_qualified(run: Run, sqlite_url: str) -> None:
    added = run("add", "Sun", "--utility", "north", "--redirect-uri", BACK, "--json")
    said = json.loads(added.stdout)
    database = Database(sqlite_url)

    assert (said["status"], said["policy"]) == ("review", "standard")
    assert "shown once" in added.stderr
    assert token(database, said["client_id"], said["client_secret"]) == 401
    assert run("qualify", "Sun", "--utility", "north").exit_code == 0
    assert token(database, said["client_id"], said["client_secret"]) == 200
    assert run("block", "Sun", "--utility", "north").exit_code == 0
    assert token(database, said["client_id"], said["client_secret"]) == 401
    database.close()


def test_the_list_shows_no_secret(run: Run) -> None:
    secret = json.loads(run("add", "Sun", "--utility", "north", "--json").stdout)["client_secret"]

    listed, plain = run("list", "--utility", "north", "--json"), run("list", "--utility", "north")

    assert json.loads(listed.stdout)["applications"][0]["name"] == "Sun"
    assert "Sun" in plain.stdout
    assert secret not in listed.stdout + plain.stdout


def test_a_new_secret_works_beside_the_old_one(run: Run, sqlite_url: str) -> None:
    said = json.loads(run("add", "Sun", "--utility", "north", "--json").stdout)
    run("qualify", "Sun", "--utility", "north")

    second = run("secret", "Sun", "--utility", "north").stdout.strip()
    third = run("secret", "Sun", "--utility", "north", "--overlap", "0").stdout.strip()

    database = Database(sqlite_url)
    found = [token(database, said["client_id"], each) for each in (said["client_secret"], second, third)]
    assert found == [401, 401, 200]
    database.close()


def test_an_application_with_keys_has_no_secret(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [ECKey.generate_key("P-256").as_dict(private=False)]}))

    added = run("add", "Sun", "--utility", "north", "--policy", "strict", "--jwks", str(file), "--json")

    assert added.exit_code == 0
    assert "client_secret" not in json.loads(added.stdout)
    assert run("secret", "Sun", "--utility", "north").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--redirect-uri", "http://sun.example.com/"], "https"),
        (["--redirect-uri", "https://sun.example.com/#a"], "fragment"),
        (["--policy", "strict"], "public keys"),
        (["--policy", "mild"], "mild"),
        (["--retry-window", "30"], "legacy"),
        (["--scope", "energy"], "scope"),
        (["--jwks", "nowhere.json"], "nowhere.json"),
        (["--certificate", "nowhere.pem"], "nowhere.pem"),
    ],
)
def test_what_cannot_be_registered_is_told(run: Run, arguments: list[str], words: str) -> None:
    result = run("add", "Sun", "--utility", "north", *arguments)

    assert result.exit_code in (2, 3)
    assert words in result.stderr


def test_keys_that_are_private_or_weak_are_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    private = ECKey.generate_key("P-256").as_dict(private=True)
    with pytest.warns(SecurityWarning):
        weak = RSAKey.generate_key(1024).as_dict(private=False)
    for keys in (
        [private],
        [weak],
        [{"kty": "oct", "k": "YQ"}],
        "x",
    ):
        file.write_text(json.dumps({"keys": keys}))
        assert run("add", "Sun", "--utility", "north", "--jwks", str(file)).exit_code == 2


def test_a_name_is_registered_once(run: Run) -> None:
    run("add", "Sun", "--utility", "north")

    assert run("add", "Sun", "--utility", "north").exit_code == 1


def test_unknown_names_are_told(run: Run) -> None:
    assert run("qualify", "Nobody", "--utility", "north").exit_code == 3
    assert run("list", "--utility", "nowhere").exit_code == 3


def test_what_customers_are_told_is_said_when_it_is_added_or_later(run: Run, sqlite_url: str) -> None:
    run("add", "Sun", "--utility", "north", "--use", "We help.", "--essential", "usage", "--essential", "RIN")
    later = run(
        "describe", "Sun", "--utility", "north", "--use-es", "Ayudamos.", "--terms", "https://sun.example/t"
    )
    nothing, wrong, strange = (
        run("describe", "Sun", "--utility", "north", *given)
        for given in ((), ("--terms", "http://sun.example/t"), ("--essential", "Everything"))
    )

    database = Database(sqlite_url)
    with database.reading() as session:
        about = session.scalars(select(Application.information)).one()
    database.close()
    assert later.exit_code == 0
    assert about == {
        "use_statement": "We help.", "essential": ["Usage", "RIN"], "use_statement#es": "Ayudamos.",
        "tos_uri": "https://sun.example/t",
    }  # fmt: skip
    assert (nothing.exit_code, wrong.exit_code, strange.exit_code) == (2, 2, 2)
    assert "Usage, Billing" in strange.stderr
