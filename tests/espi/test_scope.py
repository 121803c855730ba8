"""The scope string: the field's examples, hostile ones, and what narrowing and comparing promise."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espi_server.espi.scope import EVERYTHING, LONGEST, SPANS, Scope, ScopeError
from espi_server.espi.tables import CLASS_BLOCKS, FUNCTION_BLOCKS, DataClass

USAGE, BILLING, BASIC, ACCOUNT = (
    DataClass.USAGE,
    DataClass.BILLING,
    DataClass.BASIC,
    DataClass.ACCOUNT,
)
PROGRAM, RIN, COMPARISON, CHANGE = (
    DataClass.PROGRAM_ENROLLMENT,
    DataClass.RIN,
    DataClass.BILL_COMPARISON,
    DataClass.RATE_CHANGE,
)

API_DOCS = (
    "FB=1_3_4_5_8_13_18_19_31_34_35_39;IntervalDuration=900_3600;BlockDuration=Daily;"
    "HistoryLength=34128000;SubscriptionFrequency=Daily;AccountCollection=5;BR=1;"
)
PGE = (
    "FB=1_3_8_13_14_18_19_31_32_35_37_38_39_40_4_5_10_15_16_46_47;"
    "AdditionalScope=Usage_Billing_Basic_Account_ProgramEnrollment;IntervalDuration=900_3600;"
    "BlockDuration=Daily;HistoryLength=63072000;AccountCollection=2;BR=50916;dataCustodianId=PGE"
)
UTILITYAPI = (
    "FB=4_16_51;HistoryLength=34128000;PreferredAuthEndDate=1735689600;AdditionalScope=noedit_meters-all"
)

scopes = st.builds(
    Scope,
    blocks=st.frozensets(st.sampled_from([*sorted(FUNCTION_BLOCKS), 99]), max_size=8),
    interval_duration=st.frozensets(st.sampled_from([300, 900, 3600, *SPANS]), max_size=2),
    block_duration=st.frozensets(st.sampled_from([86_400, *SPANS]), max_size=2),
    history_length=st.none() | st.integers(0, 10**9),
    subscription_frequency=st.none() | st.sampled_from([3600, *SPANS]),
    account_collection=st.none() | st.integers(0, 99),
    bulk=st.none() | st.sampled_from(["1", "2"]),
    terms=st.frozensets(st.sampled_from(list(DataClass))).map(
        lambda terms: terms if CHANGE not in terms else terms | {RIN, COMPARISON}
    ),
    words=st.frozensets(st.sampled_from(["noedit", "meters-all"])),
    others=st.sampled_from([(), (("PreferredAuthEndDate", "1735689600"),)]),
)


# --- the examples of the field ------------------------------------------------------------------------


@pytest.mark.requirement("FB_31")
def test_the_example_of_the_interface_description_is_read():
    scope = Scope.parse(API_DOCS)

    assert scope.blocks == {1, 3, 4, 5, 8, 13, 18, 19, 31, 34, 35, 39}
    assert (scope.interval, scope.cut, scope.history_length) == (900, "day", 34128000)
    assert (scope.subscription_frequency, scope.account_collection, scope.bulk) == ("daily", 5, "1")
    assert scope.classes == {USAGE}
    assert str(scope) == (
        "FB=1_3_4_5_8_13_18_19_31_34_35_39;IntervalDuration=900_3600;BlockDuration=daily;"
        "HistoryLength=34128000;SubscriptionFrequency=daily;AccountCollection=5;BR=1"
    )


@pytest.mark.parametrize(
    ("text", "classes", "cut"),
    [
        (
            "FB=1_3_4_5_13_14_15_19_37_39;IntervalDuration=3600;BlockDuration=monthly;HistoryLength=94608000",
            {USAGE},
            "month",
        ),
        ("FB=4_5_15;IntervalDuration=3600;BlockDuration=monthly;HistoryLength=13", {USAGE}, "month"),
        ("FB=1_3_4_5_10_11_35;BlockDuration=daily;BR=1", {USAGE}, "day"),
        (
            "FB=1_3_4_5_13_15_16_28_31_37_39_51_53_54_55_56_57_58_59_60_61_64_65_69",
            {USAGE, BILLING, BASIC, ACCOUNT},
            "day",
        ),
        (UTILITYAPI, {USAGE, BILLING}, "day"),
        (PGE, {USAGE, BILLING, BASIC, ACCOUNT, PROGRAM}, "day"),
        ("MinAuthEndDate=1735689600;PreferredAuthEndDate=1767225600", set(), "day"),
        ("FB=34_35", set(), "day"),
        ("FB=3_19_32", set(), "day"),
    ],
)
@pytest.mark.requirement("FB_31")
def test_every_example_of_the_field_is_read(text, classes, cut):
    scope = Scope.parse(text)

    assert scope.classes == classes
    assert scope.cut == cut
    assert Scope.parse(str(scope)) == scope


def test_order_case_and_a_trailing_semicolon_do_not_matter():
    one = Scope.parse("FB=4_5_15;IntervalDuration=900;BlockDuration=billingPeriod;AdditionalScope=RIN_Usage")
    other = Scope.parse(
        "additionalscope=usage_rin;blockduration=BILLINGPERIOD;fb=15_04_5_4;INTERVALDURATION=900;"
    )

    assert one == other
    assert hash(one) == hash(other)
    assert str(one) == str(other)
    assert one.cut == "month"


def test_unknown_terms_and_words_are_kept_and_open_nothing():
    scope = Scope.parse(UTILITYAPI)

    assert scope.words == {"noedit", "meters-all"}
    assert scope.unknown == ("meters-all", "noedit", "PreferredAuthEndDate")
    assert str(scope).endswith("AdditionalScope=meters-all_noedit;PreferredAuthEndDate=1735689600")


# --- what a scope says --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("FB=4", None),
        ("IntervalDuration=900", 900),
        ("IntervalDuration=3600_900", 900),
        ("IntervalDuration=daily_monthly", 86_400),
        ("IntervalDuration=monthly", 2_592_000),
    ],
)
def test_the_finest_interval_is_the_promise(text, seconds):
    assert Scope.parse(text).interval == seconds


@pytest.mark.parametrize(
    ("value", "cut"),
    [
        ("daily", "day"),
        ("weekly", "day"),
        ("3600", "day"),
        (str(28 * 86_400 - 1), "day"),
        (str(28 * 86_400), "month"),
        ("monthly", "month"),
        ("billingPeriod", "month"),
        ("seasonal", "month"),
        ("monthly_daily", "day"),
    ],
)
def test_the_block_duration_chooses_the_cut(value, cut):
    assert Scope.parse(f"BlockDuration={value}").cut == cut


def test_terms_of_the_standard_classes_overrule_what_the_blocks_imply():
    assert Scope.parse("FB=4_16_54").classes == {USAGE, BILLING, BASIC}
    assert Scope.parse("FB=4_16_54;AdditionalScope=Usage").classes == {USAGE}
    assert Scope.parse("FB=4_16_54;AdditionalScope=RIN").classes == {USAGE, BILLING, BASIC, RIN}


@pytest.mark.parametrize("old", [46, 50])
def test_old_numbers_read_as_the_new_ones(old):
    assert Scope.parse(f"FB={old}").openings == Scope.parse("FB=54_55_56_57_58_59_60_61").openings
    assert Scope.parse("FB=47").within(Scope.parse("FB=67"))


def test_blocks_refine_a_class_that_is_named():
    assert Scope.parse("FB=15;AdditionalScope=Usage").openings == {(USAGE, 15)}
    assert Scope.parse("AdditionalScope=Billing").openings == {(BILLING, b) for b in CLASS_BLOCKS[BILLING]}


def test_rate_change_needs_the_two_classes_it_builds_on():
    assert CHANGE in Scope.parse("AdditionalScope=RIN_BillComparison_RateChange").classes
    for text in ("RateChange", "RateChange_RIN", "Usage_BillComparison_RateChange"):
        with pytest.raises(ScopeError, match="RateChange needs RIN and BillComparison"):
            Scope.parse(f"FB=4_5;AdditionalScope={text}")


def test_a_scope_is_told_in_plain_words():
    sentences = Scope.parse(f"{API_DOCS}AdditionalScope=RIN_noedit").explain()

    assert sentences == (
        "Usage Information: interval metering, interval electricity, forward and reverse metering.",
        "Release RIN data.",
        "Readings no finer than 15 minutes.",
        "Readings in blocks of one day.",
        "History of 395 days.",
        "New data every 1 day.",
        "Delivered together with others as bulk 1.",
        "Without meaning here: noedit.",
    )
    assert Scope.parse("FB=3").explain() == ("No data.", "All history.")


# --- hostile ones -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        ";;;;",
        " ",
        "FB",
        "FB=",
        "=4",
        "=",
        "FB==4",
        "FB=4__5",
        "FB=_4",
        "FB=4_",
        "FB=4,5",
        "FB=4 5",
        "FB= 4",
        "FB=4; BlockDuration=daily",
        "FB=4\t",
        "FB=4\n",
        "FB=4\0",
        "FB=4\0;BR=1",
        "FB=-4",
        "FB=+4",
        "FB=4.0",
        "FB=0",
        "FB=1000",
        "FB=" + "9" * 100,
        "FB=" + "4_" * 5000 + "4",
        "FB=٤",
        "FB=４",
        "FB=²",
        "FB=0x4",
        "FB=4e0",
        "FB=four",
        "FB=4;FB=5",
        "FB=4;fb=4",
        "fb=4;BR=1;Br=2",
        "x=1;X=2",
        "IntervalDuration=",
        "IntervalDuration=0",
        "IntervalDuration=-900",
        "IntervalDuration=hourly",
        "IntervalDuration=900__3600",
        "IntervalDuration=99999999999",
        "BlockDuration=dailÿ",
        "HistoryLength=",
        "HistoryLength=all",
        "HistoryLength=1_2",
        "HistoryLength=-1",
        "HistoryLength=99999999999",
        "SubscriptionFrequency=daily_weekly",
        "AccountCollection=many",
        "AccountCollection=1.5",
        "BR=",
        "BR=1/2",
        "BR=../Authorization",
        "BR=1%00",
        "BR='1' or '1'='1'",
        "AdditionalScope=",
        "AdditionalScope=Usage__Billing",
        "AdditionalScope=<script>",
        "AdditionalScope=a/b",
        "dataCustodianId=",
        'x="y"',
        "x=a\\b",
        "x=<y>",
        "x=a&b",
        "x=a\u202eb",
        "x='; drop table authorization; --",
        "é=1",
        "1x=1",
        "x y=1",
        "openid",
        "openid FB=4_5",
        "x=" + "a" * 300,
        "x" * 65 + "=1",
        "a" * 10_240,
        ";" * 10_240,
        "FB=4;" * 2_048,
    ],
)
def test_a_hostile_scope_is_refused_in_words_an_error_description_may_hold(text):
    with pytest.raises(ScopeError) as caught:
        Scope.parse(text)

    message = str(caught.value)
    assert len(message) < 250
    assert all(" " <= char <= "~" and char not in '"\\' for char in message)


@given(st.text(max_size=60) | st.text(alphabet="FBR=_;0123456789 Dailymonth", max_size=40))
def test_no_text_breaks_the_reading(text):
    try:
        scope = Scope.parse(text)
    except ScopeError:
        return

    assert Scope.parse(str(scope)) == scope


def test_a_scope_longer_than_the_schema_allows_says_so():
    numbers = "_".join(map(str, range(100, 180)))

    with pytest.raises(ScopeError, match=f"322 characters long in its canonical form; ESPI allows {LONGEST}"):
        Scope.parse(f"FB={numbers}")


def test_a_scope_is_measured_by_its_canonical_form():
    scope = Scope.parse("FB=" + "4_" * 200 + "5;")

    assert str(scope) == "FB=4_5"


# --- comparing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "offered"),
    [
        ("FB=4_5", "FB=4_5_15"),
        ("FB=4_5;HistoryLength=86400", "FB=4_5"),
        ("FB=4_5;IntervalDuration=3600", "FB=4_5;IntervalDuration=900_3600"),
        ("FB=4_5;IntervalDuration=daily", "FB=4_5;IntervalDuration=3600"),
        ("FB=57", "FB=46"),
        ("FB=4;AdditionalScope=Usage", "FB=4_5"),
        ("FB=4_16;AdditionalScope=Usage", "FB=4"),
        ("FB=4;SubscriptionFrequency=monthly", "FB=4;SubscriptionFrequency=daily"),
        ("FB=4;BR=1", "FB=4"),
        (UTILITYAPI, "FB=4_16_51"),
        (PGE, str(Scope.parse(PGE))),
    ],
)
def test_a_narrower_scope_is_within_a_wider(asked, offered):
    assert Scope.parse(asked).within(Scope.parse(offered))
    Scope.parse(asked).check(EVERYTHING)


@pytest.mark.parametrize(
    ("asked", "offered", "named"),
    [
        ("FB=4_16", "FB=4", "FB=16"),
        ("FB=4_99", "FB=4", "FB=99"),
        ("FB=4_39", "FB=4", "FB=39"),
        ("FB=4;AdditionalScope=RIN", "FB=4", "AdditionalScope=RIN"),
        ("AdditionalScope=Usage", "FB=4_15", "AdditionalScope=Usage (FB=27)"),
        ("FB=4", "FB=4;HistoryLength=86400", "HistoryLength above 86400"),
        ("FB=4;HistoryLength=86401", "FB=4;HistoryLength=86400", "HistoryLength above 86400"),
        ("FB=4", "FB=4;IntervalDuration=3600", "IntervalDuration finer than 3600"),
        ("FB=4;IntervalDuration=900_daily", "FB=4;IntervalDuration=3600", "IntervalDuration finer than 3600"),
        ("FB=4;BlockDuration=daily_monthly", "FB=4;BlockDuration=monthly", "BlockDuration=daily"),
        ("FB=4;AccountCollection=6", "FB=4;AccountCollection=5", "AccountCollection above 5"),
        ("FB=4;BR=2", "FB=4;BR=1", "BR=2"),
        (
            "FB=4;SubscriptionFrequency=daily",
            "FB=4;SubscriptionFrequency=weekly",
            "SubscriptionFrequency=daily",
        ),
    ],
)
def test_what_is_not_on_offer_is_named(asked, offered, named):
    asked, offered = Scope.parse(asked), Scope.parse(offered)

    assert named in asked.beyond(offered)
    with pytest.raises(ScopeError, match="Not on offer"):
        asked.check(offered)


def test_a_function_block_nobody_knows_is_not_on_offer():
    with pytest.raises(ScopeError, match="Not on offer: FB=99"):
        Scope.parse("FB=4_99").check(EVERYTHING)


@given(scopes)
def test_every_scope_is_within_itself_and_reads_back(scope):
    assert scope.within(scope)
    if 0 < len(str(scope)) <= LONGEST:
        assert Scope.parse(str(scope)) == scope


# --- narrowing ----------------------------------------------------------------------------------------


def test_a_class_is_taken_out_of_the_blocks_that_implied_it():
    scope = Scope.parse("FB=1_3_4_5_15_16;HistoryLength=86400")

    assert str(scope.narrow(classes={BILLING})) == "FB=1_3_4_5_15;HistoryLength=86400"


def test_a_class_that_shares_a_block_is_taken_out_by_naming_the_rest():
    scope = Scope.parse("FB=16_56_57").narrow(classes={ACCOUNT})

    assert scope.classes == {BILLING}
    assert scope.openings == {(BILLING, 16), (BILLING, 56)}


def test_taking_the_last_named_class_opens_none_of_the_blocks_beside_it():
    assert Scope.parse("FB=3_4_16;AdditionalScope=Usage").narrow(classes={USAGE}).classes == frozenset()


def test_taking_the_last_block_of_a_class_takes_the_class():
    scope = Scope.parse("FB=3_27;AdditionalScope=Usage")

    assert str(scope.narrow(blocks={27})) == "FB=3"


def test_taking_one_block_of_a_whole_class_names_the_others():
    scope = Scope.parse("AdditionalScope=Billing").narrow(blocks={28})

    assert scope.openings == {(BILLING, 16), (BILLING, 26), (BILLING, 56), (BILLING, 71)}


def test_one_new_block_is_taken_out_of_an_old_one():
    scope = Scope.parse("FB=3_46").narrow(blocks={58})

    assert str(scope) == "FB=3_54_55_56_57_59_60_61"


@pytest.mark.parametrize("gone", [RIN, COMPARISON])
def test_rate_change_goes_with_the_class_it_needs(gone):
    scope = Scope.parse("FB=4;AdditionalScope=RIN_BillComparison_RateChange")

    assert scope.narrow(classes={gone}).classes == {USAGE, RIN, COMPARISON} - {gone}


def test_history_and_interval_only_ever_narrow():
    scope = Scope.parse("FB=4;IntervalDuration=3600;HistoryLength=1000")

    assert str(scope.narrow(interval=86_400, history=10)) == "FB=4;IntervalDuration=86400;HistoryLength=10"
    assert scope.narrow(interval=900, history=2000) == scope


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_pge_s_scope_can_lose_any_classes_and_stays_printable(count):
    scope = Scope.parse(PGE)

    for gone in combinations(scope.classes, count):
        narrowed = scope.narrow(classes=gone)

        assert narrowed.classes == scope.classes - set(gone)
        assert Scope.parse(str(narrowed)) == narrowed


@given(
    scopes,
    st.frozensets(st.sampled_from(sorted(FUNCTION_BLOCKS)), max_size=4),
    st.frozensets(st.sampled_from(list(DataClass)), max_size=3),
    st.none() | st.integers(1, 10**6),
    st.none() | st.integers(0, 10**9),
)
def test_a_narrowed_scope_is_always_within_the_first(scope, blocks, classes, interval, history):
    try:
        narrowed = scope.narrow(blocks=blocks, classes=classes, interval=interval, history=history)
    except ScopeError as error:
        assert "ESPI allows 256" in str(error)
        return

    assert narrowed.within(scope)
    assert not narrowed.classes & classes
    assert not {block for _, block in narrowed.openings} & blocks
