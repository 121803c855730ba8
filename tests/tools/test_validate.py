"""`espi-server validate`: exit codes, forms, and files that are not what they seem."""

from __future__ import annotations

import gzip
import json
import os
import threading

import pytest
from click.testing import CliRunner
from lxml import etree

from espi_server.cli import main
from tests.espi.check.mutations import FILES, MUTATIONS

GOOD = str(FILES / "customer.xml")


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.xml"
    path.write_text(MUTATIONS["LINK-06"].bad, "utf-8")
    return str(path)


def run(*arguments, **how):
    return CliRunner().invoke(main, ["validate", *arguments], **how)


def test_a_good_file_ends_with_0():
    result = run(GOOD)

    assert result.exit_code == 0
    assert "customer.xml: conformant" in result.stdout


def test_a_bad_file_ends_with_1_and_names_the_line(bad):
    result = run(bad)

    assert result.exit_code == 1
    assert f"LINK-06   line {MUTATIONS['LINK-06'].line}" in result.stdout


def test_an_error_to_certification_is_a_warning_to_the_lenient(bad):
    assert run(bad, "--profile", "lenient").exit_code == 0


def test_the_worst_of_several_files_decides(bad, tmp_path):
    torn = tmp_path / "torn.xml"
    torn.write_text("<feed")

    assert run(GOOD, bad).exit_code == 1
    assert run(GOOD, str(torn), bad).exit_code == 3


def test_a_file_that_is_not_there_ends_with_3_and_the_others_are_judged():
    result = run("nowhere.xml", GOOD)

    assert result.exit_code == 3
    assert "nowhere.xml: cannot be opened: No such file or directory." in result.stderr
    assert "customer.xml: conformant" in result.stdout


@pytest.mark.parametrize("entity", ["<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>", "<!DOCTYPE a>"])
def test_a_hostile_file_is_refused_in_a_sentence(entity, tmp_path):
    path = tmp_path / "bomb.xml"
    path.write_text(f"{entity}<feed>&b;</feed>")

    result = run(str(path))

    assert result.exit_code == 3
    assert "cannot be read" in result.stdout
    assert "DOCTYPE is not taken" in result.stdout


def test_json_is_a_line_for_each_file(bad):
    lines = run(GOOD, bad, "--json").stdout.splitlines()

    assert [json.loads(line)["conformant"] for line in lines] == [True, False]


def test_junit_is_a_suite_for_each_file(bad):
    root = etree.fromstring(run(GOOD, bad, "--junit").stdout.encode())

    assert [suite.get("failures") for suite in root] == ["0", "1"]


def test_standard_input_and_gzip_are_read(tmp_path):
    packed = tmp_path / "customer.xml.gz"
    packed.write_bytes(gzip.compress((FILES / "customer.xml").read_bytes()))

    assert run(str(packed)).exit_code == 0
    assert run("-", input=(FILES / "customer.xml").read_bytes()).exit_code == 0


def test_claims_are_judged():
    assert run(GOOD, "--claims", "FB=54_57").exit_code == 0
    assert run(GOOD, "--claims", "4").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [(), (GOOD, "--claims", "four"), (GOOD, "--profile", "kind"), (GOOD, "--edition", "5"), (GOOD, "--json", "--junit"),
     ("--explain", "LINK-99")],
)  # fmt: skip
def test_a_wrong_call_ends_with_2(arguments):
    assert run(*arguments).exit_code == 2


def test_a_rule_can_be_explained():
    result = run("--explain", "link-06")

    assert result.exit_code == 0
    assert "No address ends in a slash" in result.stdout


def test_only_the_first_findings_of_a_rule_are_shown_unless_all_are_asked_for(tmp_path):
    path = tmp_path / "many.xml"
    path.write_text((FILES / "usage.xml").read_text("utf-8").replace("<id>urn:uuid:", "<id>"), "utf-8")

    few, every = run(str(path)).stdout, run(str(path), "--all").stdout

    assert few.count("error    ID-01") == 5
    assert "ID-01: 11 more of these, 16 in all" in few
    assert every.count("error    ID-01") == 16


def test_a_folder_stands_for_its_files(tmp_path, bad):
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "good.xml.gz").write_bytes(gzip.compress((FILES / "customer.xml").read_bytes()))
    (tmp_path / "readme.txt").write_text("no Green Button file")

    result = run(str(tmp_path), "--json")

    told = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["file"].rpartition("/")[2], each["conformant"]) for each in told] == [
        ("bad.xml", False),
        ("good.xml.gz", True),
    ]


def test_a_folder_without_files_is_a_wrong_call(tmp_path):
    result = run(str(tmp_path))

    assert result.exit_code == 2
    assert "holds no .xml and no .gz file" in result.stderr


def test_a_pipe_is_read_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes((FILES / "customer.xml").read_bytes()))
    writer.start()

    result = run(str(pipe))
    writer.join()

    assert result.exit_code == 0


def test_a_file_that_is_not_there_is_a_line_of_json_and_a_suite_of_junit():
    as_json, as_junit = run("nowhere.xml", GOOD, "--json"), run("nowhere.xml", GOOD, "--junit")

    told = [json.loads(line) for line in as_json.stdout.splitlines()]
    suites = etree.fromstring(as_junit.stdout.encode())
    assert as_json.exit_code == as_junit.exit_code == 3
    assert told[0]["refused"] == "The file cannot be opened: No such file or directory."
    assert told[0].keys() == told[1].keys()
    assert [suite.get("failures") for suite in suites] == ["1", "0"]


def test_junit_is_of_the_shape_build_servers_read(bad):
    """The part of JUnit's form that all readers agree on: names, numbers that add up, one failure a failed case."""
    root = etree.fromstring(run(GOOD, bad, "--junit").stdout.encode())

    assert root.tag == "testsuites"
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.tag == "testsuite"
        assert suite.get("name")
        assert int(suite.get("tests")) == len(cases) == len(suite)
        assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
        assert suite.get("errors") == "0"
        for case in cases:
            assert case.get("name")
            assert case.get("classname")
            assert {child.tag for child in case} <= {"failure", "system-out"}
            assert all(failure.get("message") for failure in case.findall("failure"))
