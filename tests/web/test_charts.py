from lxml import etree

from espi_server.web import charts

HOME = [0.3] * 18 + [1.2, 1.0, 0.8, 0.6, 0.4, 0.3]
SOLAR = [0.3] * 9 + [-1.5] * 6 + [0.8] * 9


def test_a_day_is_well_formed_and_has_a_point_at_each_end_of_every_hour():
    picture = etree.fromstring(charts.day(HOME))

    line = picture.find("polyline")
    assert len(line.get("points").split()) == 48
    assert picture.get("aria-hidden") == "true"


def test_what_is_given_is_shaded_otherwise():
    shades = [shape.get("class") for shape in etree.fromstring(charts.day(SOLAR)).findall("polygon")]

    assert shades == ["taken", "given"]


def test_the_words_say_when_most_is_taken_and_given():
    assert charts.told(HOME) == "1.2 kW at 6 pm"
    assert charts.told(SOLAR) == "0.8 kW at 3 pm, gives 1.5 at 9 am"


def test_a_day_without_any_use_is_a_flat_line():
    assert etree.fromstring(charts.day([0.0] * 24)).find("polyline") is not None
