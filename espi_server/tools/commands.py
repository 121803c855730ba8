"""`espi-server validate` and `espi-server schema`: judge anybody's files, look things up in the standard."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from espi_server.espi import editions
from espi_server.espi.check import check, unopened
from espi_server.espi.checks.rule import RULES, Profile
from espi_server.espi.checks.table import as_text
from espi_server.espi.explain import explained
from espi_server.espi.verdict import SCHEMA_VERSION, Verdict, junit
from espi_server.terminal import tell

_UNREADABLE = 3
_ALL = 1_000_000
_OF_A_FOLDER = (".xml", ".gz")
_EDITIONS = click.Choice(list(editions.EDITIONS))


class Blocks(click.ParamType):
    """Function blocks as a scope names them: `4_5_15`, `FB=4_5_15`, or `4,5,15`."""

    name = "blocks"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers; click's own error for anything else."""
        text = str(value).strip().upper().removeprefix("FB=").rstrip(";")
        if not re.fullmatch(r"\d{1,3}([_,]\d{1,3})*", text):
            self.fail(f"{value!r} must be numbers such as 4_5_15.", param, ctx)
        return tuple(int(number) for number in re.split("[_,]", text))


@click.command()
@click.argument("files", metavar="FILE…", nargs=-1)
@click.option(
    "--profile",
    type=click.Choice([str(each) for each in Profile]),
    default=str(Profile.CERTIFICATION),
    show_default=True,
    help="Whose eyes look: a laboratory's, a patient reader's, the Statewide Standard Tool's.",
)
@click.option("--edition", type=_EDITIONS, help="Of the schema. Default: the one the file names, else 4.0.")
@click.option("--claims", type=Blocks(), help="Function blocks the files are said to show: FB=4_5_15.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file and line.")
@click.option("--junit", "as_junit", is_flag=True, help="JUnit XML, one suite a file, one case a rule.")
@click.option("--all", "everything", is_flag=True, help="Every finding, not the first five of each rule.")
@click.option(
    "--explain", "rule", metavar="RULE", help="What a rule says and why, instead of judging: LINK-06."
)
def validate(
    files: Sequence[str], profile: str, edition: str | None, claims: tuple[int, ...] | None, rule: str | None,
    *, as_json: bool, as_junit: bool, everything: bool,
) -> None:  # fmt: skip
    """Judge Green Button files, whoever made them; - is standard input, a folder its .xml and .gz files.

    \b
    Example:  espi-server validate usage.xml --profile certification --claims FB=4_5_15
    Exit:     0 conformant, 1 not, 3 a file could not be read
    """
    if rule:
        click.echo(_rule(rule))
        return
    if not files:
        raise click.UsageError("Name a file, or - for standard input.")
    if as_json and as_junit:
        raise click.UsageError("Choose --json or --junit.")
    worst = 0
    suites: list[Verdict] = []
    for file in _each(files):
        try:
            verdict = _judged(file, profile, edition, claims or ())
        except OSError as error:
            tell(f"{file}: cannot be opened: {error.strerror or error}.")
            verdict = unopened(file, error, profile, edition)
            worst = _UNREADABLE
            if not as_json and not as_junit:
                continue
        worst = max(worst, verdict.exit_code)
        if as_junit:
            suites.append(verdict)
        else:
            _show(verdict, as_json=as_json, everything=everything)
    if as_junit:
        click.echo(junit(suites))
    raise SystemExit(worst)


def _each(names: Sequence[str]) -> Iterator[str]:
    """The files themselves; a folder stands for what it holds, however deep."""
    for name in names:
        if name == "-" or not Path(name).is_dir():
            yield name
            continue
        found = sorted(str(path) for path in Path(name).rglob("*") if path.suffix.lower() in _OF_A_FOLDER)
        if not found:
            raise click.UsageError(
                f"The folder {name} holds no .xml and no .gz file. Name another, or a file."
            )
        yield from found


def _judged(file: str, profile: str, edition: str | None, claims: tuple[int, ...]) -> Verdict:
    if file == "-":
        return check(sys.stdin.buffer, profile, edition, claims=claims, name="-")
    return check(file, profile, edition, claims=claims)


def _show(verdict: Verdict, *, as_json: bool, everything: bool) -> None:
    if as_json:
        click.echo(json.dumps(verdict.to_json(), ensure_ascii=False))
    else:
        click.echo("\n".join(verdict.to_text(_ALL if everything else 5)))


def _rule(id: str) -> str:
    if id.upper() not in RULES:
        raise click.BadParameter(
            f"There is no rule {id!r}. The first is {next(iter(RULES))}.", param_hint="--explain"
        )
    return as_text(RULES[id.upper()])


# The schema


@click.group()
def schema() -> None:
    """Look things up in the standard: print a schema, compare editions, explain an element.

    \b
    Example:  espi-server schema explain UsageSummary/tariffProfile
    """


@schema.command("print")
@click.argument("name", type=click.Choice(list(editions.NAMES)))
@click.option("--edition", type=_EDITIONS, default="4.0", show_default=True, help="Which edition's.")
def print_command(name: str, edition: str) -> None:
    """Print a schema as XML: espi, customer, or sst (the Statewide Standard Tool's, edition sst).

    \b
    Example:  espi-server schema print espi --edition 3.3 > espi.xsd
    """
    chosen = editions.named(edition)
    if editions.NAMES[name] not in chosen.namespaces:
        raise click.UsageError(f"Edition {edition} has no schema {name!r}. Add --edition sst.")
    click.echo(chosen.schema(editions.NAMES[name]))


@schema.command()
@click.argument("old", type=_EDITIONS)
@click.argument("new", type=_EDITIONS)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def compare(old: str, new: str, *, as_json: bool) -> None:
    """What differs between two editions: 0.7, 3.3, 4.0, sst.

    \b
    Example:  espi-server schema compare 3.3 4.0
    """
    lines = editions.differences(editions.named(old), editions.named(new))
    if as_json:
        click.echo(
            json.dumps({"schema_version": SCHEMA_VERSION, "old": old, "new": new, "differences": lines})
        )
    else:
        click.echo("\n".join(lines or ["They describe the same structure."]))


@schema.command()
@click.argument("path")
@click.option("--edition", type=_EDITIONS, default="4.0", show_default=True, help="As which edition has it.")
def explain(path: str, edition: str) -> None:
    """Type, place, cardinality and meaning of an element, or of a type and all its elements.

    \b
    Example:  espi-server schema explain UsageSummary/tariffProfile
    """
    click.echo("\n".join(explained(path, editions.named(edition))))
