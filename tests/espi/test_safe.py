"""XML from strangers: what is read, what is refused in which words, and that memory stays flat."""

import gzip
import io
import re
import resource
import socket
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espi_server.espi import incoming, safe
from espi_server.espi.safe import HostileXml, Limits, UnreadableXml, iterate, open_document, parse, reread

ENTRY = "{http://www.w3.org/2005/Atom}entry"
HEAD = b'<feed xmlns="http://www.w3.org/2005/Atom">\n'
READING = (
    b"<IntervalReading><timePeriod><duration>900</duration><start>1793516400</start></timePeriod>"
    b"<value>210</value></IntervalReading>\n"
)


def feed(*entries):
    return HEAD + b"".join(entries) + b"</feed>\n"


def entry(id, content=b""):
    return b"<entry><id>%s</id><content>%s</content></entry>\n" % (str(id).encode(), content)


def ids(data, **limits):
    return [element.findtext("{*}id") for element in iterate(io.BytesIO(data), {ENTRY}, Limits(**limits))]


def read(data, **limits):
    """Read a document in every way; the ways must agree on refusing it."""
    errors = []
    for way in (lambda: parse(data, Limits(**limits)), lambda: ids(data, **limits)):
        try:
            way()
        except (UnreadableXml, HostileXml) as error:
            errors.append(error)
    assert len(errors) in (0, 2), errors
    if errors:
        assert type(errors[0]) is type(errors[1])
        raise errors[1]


@pytest.fixture
def no_way_out(monkeypatch):
    """Any attempt to reach the network fails the test."""

    def refuse(*arguments, **named):
        raise AssertionError(f"reached for the network: {arguments}")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


# --- what is read -------------------------------------------------------------------------------------


def test_entries_come_one_by_one_in_order():
    assert ids(feed(*(entry(n) for n in range(1000)))) == [str(n) for n in range(1000)]


def test_a_document_that_is_one_entry_is_that_entry():
    assert ids(b'<entry xmlns="http://www.w3.org/2005/Atom"><id>7</id></entry>') == ["7"]


def test_any_prefix_and_namespace_is_told_apart():
    data = b"""<a:feed xmlns:a="http://www.w3.org/2005/Atom"><a:entry><a:id>1</a:id></a:entry>
        <entry xmlns="urn:other"><id>no</id></entry><entry xmlns="http://www.w3.org/2005/Atom"><id>2</id></entry>
        <!-- <entry> --><a:note><![CDATA[<entry><id>no</id></entry>]]></a:note></a:feed>"""

    assert ids(data) == ["1", "2"]


def test_an_entry_is_emptied_only_when_the_next_is_asked_for():
    elements = iterate(io.BytesIO(feed(entry(1), entry(2))), {ENTRY})

    first = next(elements)
    assert first.findtext("{*}id") == "1"
    second = next(elements)
    assert (len(first), second.findtext("{*}id")) == (0, "2")
    assert second.getprevious() is first


def test_an_entry_within_an_entry_belongs_to_it():
    data = feed(b"<entry><id>1</id><content><entry><id>2</id></entry></content></entry>", entry(3))

    assert ids(data) == ["1", "3"]


def test_the_samples_have_the_entries_they_have(espi_reference):
    for path in (espi_reference / "samples").glob("*.xml"):
        with open_document(path) as file:
            found = [element.findtext("{*}id") for element in iterate(file, {ENTRY})]
        assert len(found) == len(re.findall(rb"</(?:\w+:)?entry>", path.read_bytes()))
        assert parse(path.read_bytes()).tag.endswith(("feed", "entry"))


@pytest.mark.parametrize(
    ("codec", "declared"),
    [
        ("utf-8", None),
        ("utf-8", "UTF-8"),
        ("utf-8", "utf8"),
        ("utf-8-sig", None),
        ("utf-8-sig", "utf-8"),
        ("utf-16", None),
        ("utf-16", "UTF-16"),
        ("iso-8859-1", "ISO-8859-1"),
        ("cp1252", "Windows-1252"),
        ("ascii", "US-ASCII"),
    ],
)
def test_the_listed_encodings_are_read(codec, declared):
    word = "Señor" if codec != "ascii" else "Senor"
    declaration = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    data = f'{declaration}<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>{word}</id></entry></feed>'

    assert ids(data.encode(codec)) == [word]
    assert parse(data.encode(codec)).findtext(".//{*}id") == word
    with open_document(io.BytesIO(data.encode(codec))) as file:
        assert [e.findtext("{*}id") for e in iterate(file, {ENTRY})] == [word]


@pytest.mark.parametrize("gap", [0, 70_000])
@pytest.mark.parametrize("declaration", [b"", b'<?xml version="1.0"\n encoding="utf-8"?>\n', b"\xef\xbb\xbf"])
def test_line_and_offset_are_those_of_the_file(gap, declaration):
    blank = b"\n" * gap
    data = declaration + feed(blank, b"<!--<entry>-->", entry(1, READING), blank, b"  ", entry(2), entry(3))

    elements = iterate(io.BytesIO(data), {ENTRY})
    found = [(element.findtext("{*}id"), elements.line, elements.offset) for element in elements]

    expected = []
    for number in (1, 2, 3):
        place = data.index(b"<entry><id>%d" % number)
        expected.append((str(number), data[:place].count(b"\n") + 1, place))
    assert found == expected


def test_lines_hold_however_the_file_is_cut(monkeypatch):
    data = feed(*(entry(n, READING * (n % 3)) for n in range(40)))
    places = [data.index(b"<entry><id>%d<" % n) for n in range(40)]

    for size in (1, 2, 3, 5, 7, 11, 64, 1000):
        monkeypatch.setattr(incoming, "CHUNK", size)
        elements = iterate(io.BytesIO(data), {ENTRY})
        assert [elements.offset for _ in elements] == places


def test_an_entry_is_read_again_from_its_offset(tmp_path):
    path = tmp_path / "feed.xml.gz"
    path.write_bytes(
        gzip.compress(feed(entry(1), b"<x:entry/>".replace(b"x:", b""), entry(3, READING * 2000)))
    )

    with open_document(path) as file:
        elements = iterate(file, {ENTRY})
        places = [(elements.offset, dict(element.nsmap)) for element in elements]
        again = reread(file, places[2][0], ENTRY, places[2][1])
        first = reread(file, places[0][0], ENTRY, places[0][1])

        assert again.findtext("{*}id") == "3"
        assert len(again.find("{*}content")) == 2000
        assert first.findtext("{*}id") == "1"
        with pytest.raises(UnreadableXml, match="has changed"):
            reread(file, places[2][0] - 8, ENTRY, {})


# --- opening ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["feed.xml", "feed.xml.gz", "feed"])
def test_gzip_is_known_by_its_first_bytes(tmp_path, name):
    (tmp_path / name).write_bytes(gzip.compress(feed(entry(1))))

    with open_document(tmp_path / name) as file:
        assert file.read() == feed(entry(1))


def test_several_gzip_members_and_padding_are_one_document():
    data = gzip.compress(HEAD, mtime=0) + gzip.compress(entry(1)) + gzip.compress(b"</feed>") + b"\0" * 512

    with open_document(io.BytesIO(data)) as file:
        assert [e.findtext("{*}id") for e in iterate(file, {ENTRY})] == ["1"]


def test_a_plain_file_is_handed_back_as_it_is():
    file = io.BytesIO(feed(entry(1)))

    assert open_document(file) is file


class Pipe(io.RawIOBase):
    """A stream that cannot seek, as standard input."""

    def __init__(self, data):
        self.data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.data.readinto(buffer)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_stream_that_cannot_seek_is_read_too(pack):
    with open_document(Pipe(pack(feed(entry(1))))) as file:
        assert [e.findtext("{*}id") for e in iterate(file, {ENTRY})] == ["1"]


def test_a_large_gzip_is_whole():
    data = feed(*(entry(n, READING) for n in range(20_000)))

    with open_document(io.BytesIO(gzip.compress(data, 1, mtime=0))) as file:
        assert file.read() == data


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "The file is empty"),
        (gzip.compress(b"", mtime=0), "The file is empty"),
        (gzip.compress(feed(entry(1)) * 50)[:-20], "cut off"),
        (gzip.compress(feed(entry(1)))[:12], "cut off"),
        (gzip.compress(feed(entry(1)))[:-6] + b"\0" * 6, "damaged"),
        (gzip.compress(feed(entry(1))) + b"more", "something follows"),
        (gzip.compress(gzip.compress(feed(entry(1)))), "gzip within gzip"),
        (b"%PDF-1.7\n", "PDF"),
        (b"<!DOCTYPE html><html><body>Please sign in</body></html>", "web page"),
        (b"\n<html><body/></html>", "web page"),
        (b'{"feed": []}', "JSON"),
        (b"BZh91AY&SY", "bzip2"),
    ],
    ids=lambda given: given if isinstance(given, str) else "file",  # gzip has the time in it
)
def test_what_cannot_be_opened_says_what_it_is(data, sentence):
    with pytest.raises(UnreadableXml, match=sentence):
        list(iterate(open_document(io.BytesIO(data)), {ENTRY}))


def test_a_zip_archive_says_so():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("feed.xml", feed(entry(1)))

    with pytest.raises(UnreadableXml, match="zip archive"):
        open_document(file)


def test_a_gzip_bomb_is_refused_by_its_ratio():
    bomb = gzip.compress(HEAD + b" " * 64 * 2**20, mtime=0)

    with pytest.raises(HostileXml, match="unpacks to more than 300 times its size"):
        open_document(io.BytesIO(bomb))


def test_a_gzip_bomb_of_many_members_is_refused_by_its_size():
    bomb = gzip.compress(b" " * 2**20, mtime=0) * 64

    with pytest.raises(HostileXml, match="larger than 16,777,216 bytes"):
        open_document(io.BytesIO(bomb), Limits(size=16 * 2**20))


def test_a_plain_file_over_the_limit_is_refused(tmp_path):
    (tmp_path / "feed.xml").write_bytes(feed(entry(1)) + b" " * 1000)

    with pytest.raises(HostileXml, match="larger than 500 bytes"):
        open_document(tmp_path / "feed.xml", Limits(size=500))


# --- hostile documents --------------------------------------------------------------------------------

LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))


@pytest.mark.parametrize(
    "data",
    [
        b'<!DOCTYPE feed [<!ENTITY l0 "lol">' + LAUGHS + b"]>" + feed(b"&l9;"),
        b'<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + feed(b"&x;"),
        b'<!DOCTYPE feed [<!ENTITY x SYSTEM "http://169.254.169.254/">]>' + feed(b"&x;"),
        b'<!DOCTYPE feed [<!ENTITY % x SYSTEM "http://192.0.2.1/x.dtd"> %x;]>' + feed(),
        b'<!DOCTYPE feed SYSTEM "http://192.0.2.1/feed.dtd">' + feed(),
        b'<!DOCTYPE feed PUBLIC "-//X//Y" "http://192.0.2.1/feed.dtd">' + feed(),
        b"<!DOCTYPE feed>" + feed(entry(1)),
        b"<!doctype feed>" + feed(entry(1)),
        b'<?xml version="1.0"?>\n<!-- a --> <?pi x?>\n<!DOCTYPE feed [' + b" " * 300_000 + b"]>" + feed(),
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE feed [<!ENTITY x "y">]><feed/>'.encode("utf-16"),
        b"\xef\xbb\xbf<!DOCTYPE feed><feed/>",
    ],
)
@pytest.mark.requirement("CEC5")
def test_a_doctype_is_refused_before_anything_is_defined_or_fetched(data, no_way_out):
    with pytest.raises(HostileXml, match="A DOCTYPE is not taken"):
        read(data)


def test_a_file_named_by_an_entity_is_never_opened(tmp_path, no_way_out, monkeypatch):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    data = b'<!DOCTYPE feed [<!ENTITY x SYSTEM "%s">]>%s' % (secret.as_uri().encode(), feed(entry("&x;")))
    passed = []
    monkeypatch.setattr(safe, "after_prolog", lambda chunks: chunks)  # were the first guard ever to fall

    for way in (lambda: parse(data), lambda: ids(data)):
        try:
            passed.append(way())
        except (UnreadableXml, HostileXml):
            continue

    assert "the secret" not in repr(passed)
    assert not any("secret" in "".join(root.itertext()) for root in passed if not isinstance(root, list))


@pytest.mark.parametrize(
    "include",
    [
        b'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>',
        b'<xi:include xmlns:xi="http://www.w3.org/2001/&#88;Include" href="http://192.0.2.1/"/>',
        b'<fallback xmlns="http://www.w3.org/2001/XInclude"/>',
    ],
)
def test_xinclude_is_refused(include, no_way_out):
    with pytest.raises(HostileXml, match="XInclude is not taken"):
        read(feed(entry(1, include)))


def test_what_a_document_names_to_be_fetched_is_not_fetched(no_way_out):
    data = (
        b'<?xml-stylesheet href="http://192.0.2.1/x.xsl" type="text/xsl"?>'
        + b'<feed xmlns="http://www.w3.org/2005/Atom" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        + b' xsi:schemaLocation="http://www.w3.org/2005/Atom http://192.0.2.1/atom.xsd">'
        + entry(1)
        + b"</feed>"
    )

    assert ids(data) == ["1"]


@pytest.mark.parametrize("depth", [70, 300, 100_000])
def test_elements_too_deep_are_refused(depth):
    with pytest.raises(HostileXml, match="deep"):
        read(feed(entry(1, b"<a>" * depth + b"</a>" * depth)))


@pytest.mark.parametrize("hidden", [b"<!--%b-->", b"<![CDATA[%b]]>", b"<?p %b?>"])
@pytest.mark.parametrize("gap", [0, 1000, 300_000])
def test_what_only_looks_like_closing_tags_hides_no_depth(hidden, gap):
    fake = hidden % (b"</a>" * 100 + b" " * gap + b"<entry>" + b"</a>" * 100)
    deep = b"<a>" * 70 + b"</a>" * 70
    before = feed(entry(1)).replace(b"<entry>", fake + b"<entry>", 1)

    for document in (feed(entry(1, fake + deep)), before.replace(b"</entry>", deep + b"</entry>", 1)):
        with pytest.raises(HostileXml, match="deep"):
            read(document)


def test_tags_that_open_and_close_one_after_another_are_not_deep():
    assert ids(feed(entry(1, b"<a>1</a>" * 5000 + b"<b/>" * 5000))) == ["1"]


def test_a_text_too_long_is_refused():
    with pytest.raises(HostileXml, match="A text is longer than 1,048,576"):
        read(feed(entry(1, b"x" * 1_100_000)))
    with pytest.raises(HostileXml, match=r"too long|larger"):
        read(feed(entry(1, b"x" * 11_000_000)))


def test_an_attribute_too_long_is_refused():
    with pytest.raises(HostileXml, match="An attribute is longer than 16,384"):
        read(feed(entry(1, b'<a b="%s"/>' % (b"x" * 17_000))))


def test_too_many_attributes_are_refused():
    attributes = b" ".join(b'a%d=""' % n for n in range(65))

    with pytest.raises(HostileXml, match="more than 64 attributes"):
        read(feed(entry(1, b"<a %s/>" % attributes)))


@pytest.mark.parametrize("flood", [b"<n%d/>", b'<n x%d=""/>'])
def test_a_flood_of_invented_names_is_refused(flood):
    with pytest.raises(HostileXml, match="more than 500 different names"):
        read(feed(entry(1, b"".join(flood % n for n in range(50_000)))))


def test_an_entry_too_large_is_refused_before_it_is_whole():
    with pytest.raises(HostileXml, match="larger than 1,000,000 bytes"):
        read(feed(b"<entry>" + READING * 20_000), entry=1_000_000)
    with pytest.raises(HostileXml, match="larger than 1,000,000 bytes"):
        ids(HEAD + b"<x/>" * 600_000 + b"</feed>", entry=1_000_000)


def test_a_tag_that_never_ends_is_refused():
    with pytest.raises(HostileXml, match=r"larger than|too long"):
        ids(HEAD + b"<entry " + b"a" * 12_000_000)
    with pytest.raises(HostileXml, match=r"larger than|too long"):
        ids(HEAD + b"<!-- " + b"a" * 12_000_000)


def test_a_prolog_without_end_is_refused():
    with pytest.raises(HostileXml, match="first 64 KiB hold no element"):
        read(b"<!-- a -->\n" * 100_000 + feed())


@pytest.mark.parametrize(
    "data",
    [
        b'<?xml version="1.0" encoding="UTF-7"?>+ADw-feed+AD4-',
        b'<?xml version="1.0" encoding="EBCDIC-CP-US"?><feed/>',
        b'<?xml version="1.0" encoding="Shift_JIS"?><feed/>',
        b'<?xml version="1.0" encoding=""?><feed/>',
        b'<?xml version="1.0" encoding="UTF-16"?><feed/>',
        b'\xef\xbb\xbf<?xml version="1.0" encoding="ISO-8859-1"?><feed/>',
        '<?xml version="1.0" encoding="UTF-8"?><feed/>'.encode("utf-16"),
        "<feed/>".encode("utf-16-le"),
        "<feed/>".encode("utf-16-be"),
        "<feed/>".encode("utf-32"),
    ],
)
def test_an_encoding_that_is_not_listed_or_lies_is_refused(data):
    with pytest.raises(HostileXml, match=r"not taken|says it is"):
        read(data)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"<feed>\n\n<id>Se\xf1or</id></feed>", 3),
        (b'<?xml version="1.0" encoding="UTF-8"?>\n<feed>\n<id>Se\xf1or</id></feed>', 3),
        (b'<?xml version="1.0" encoding="US-ASCII"?>\n<feed>\n<id>Se\xf1or</id></feed>', 3),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<feed>\n<id>O\x92Hara</id></feed>', 3),
        (b'<?xml version="1.0" encoding="windows-1252"?>\n<feed>\n<id>\x81</id></feed>', 3),
        (b"<feed>\n<id>\xed\xa0\x80</id></feed>", 2),
        (b"<feed>\n<id>\xc0\xaf</id></feed>", 2),
    ],
)
def test_bytes_that_are_not_of_the_encoding_are_refused_with_their_line(data, line):
    with pytest.raises(UnreadableXml, match="send UTF-8") as caught:
        read(data)

    assert caught.value.line == line
    assert f"Line {line}: " in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"\0", b"<feed>\0</feed>", b"<feed/>\0", b"<feed/>" + b" " * 300_000 + b"\0"]
)
def test_a_nul_byte_is_refused(data):
    with pytest.raises(HostileXml, match="NUL byte"):
        read(data)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (feed(entry(1)) + b"more", "After the end"),
        (feed(entry(1)) + feed(entry(2)), "After the end"),
        (feed(entry(1)) + b"<?xml version='1.0'?>" + feed(), "not well-formed|After the end"),
        (HEAD + entry(1), "ends in the middle"),
        (HEAD + entry(1) + b"<entry><id", "ends in the middle|not well-formed"),
        (feed(b"<entry><id>1</entry></id>"), "closed by the name of another"),
        (feed(entry("&nbsp;")), "An entity is not defined"),
        (feed(entry("\x01")), "a character that XML forbids"),
        (feed(entry("&#0;")), "not well-formed|forbids"),
        (feed(b'<entry a="1" a="2"/>'), "not well-formed"),
        (feed(b"<x:entry/>"), "not well-formed"),
        (feed(b"<!DOCTYPE feed>"), "not well-formed|DOCTYPE"),
        (b"usage_point,start,value\n1,2,3\n", "begins with text"),
        (b"   \n\n ", "before its first element"),
        (b"<!-- only -->", "before its first element"),
        (b"<?xml version='1.0'?>", "before its first element"),
        (b"<", "before its first element"),
        (b"<!ELEMENT feed ANY><feed/>", "something else"),
        (b" <?xml version='1.0'?><feed/>", "not well-formed"),
    ],
)
def test_a_broken_document_is_refused_in_words(data, sentence):
    with pytest.raises(UnreadableXml, match=sentence) as caught:
        read(data)

    assert len(str(caught.value)) < 300


def test_a_break_far_down_is_told_with_its_line():
    data = HEAD + b"\n" * 100_000 + entry(1) + b"<entry></feed>"

    with pytest.raises(UnreadableXml) as caught:
        ids(data)

    assert caught.value.line == 100_003


@given(
    st.binary(max_size=200) | st.text(alphabet="<>/!?-[]&;a\"'= \nentryfeed", max_size=120).map(str.encode)
)
def test_no_bytes_break_the_reading(data):
    for way in (parse, lambda given: list(iterate(open_document(io.BytesIO(given)), {ENTRY, "entry"}))):
        try:
            way(data)
        except (UnreadableXml, HostileXml):
            continue


@given(st.binary(max_size=100))
def test_no_gzip_breaks_the_opening(data):
    for given_bytes in (
        b"\x1f\x8b" + data,
        b"\x1f\x8b\x08\0\0\0\0\0\0\0" + data,
        gzip.compress(data, mtime=0) + data,
    ):
        try:
            open_document(io.BytesIO(given_bytes)).close()
        except (UnreadableXml, HostileXml):
            continue


# --- flat memory --------------------------------------------------------------------------------------


class Stream(io.RawIOBase):
    """A feed of many entries that is made while it is read."""

    def __init__(self, count):
        self.left = count
        self.one = entry("n", READING * 400)
        self.held = HEAD

    def read(self, size=-1):
        while len(self.held) < size and self.left:
            self.held += self.one
            self.left -= 1
            if not self.left:
                self.held += b"</feed>"
        taken, self.held = self.held[:size], self.held[size:]
        return taken


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_memory_stays_flat():
    tracemalloc.start()
    before = peak_megabytes()

    count = sum(1 for _ in iterate(Stream(400), {ENTRY}))  # 22 MB

    python_peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 400
    assert python_peak < 8 * 2**20
    assert peak_megabytes() - before < 40


@pytest.mark.soak
def test_memory_stays_flat_for_two_hundred_megabytes():
    sum(1 for _ in iterate(Stream(100), {ENTRY}))
    before = peak_megabytes()

    count = sum(1 for _ in iterate(Stream(4_000), {ENTRY}))

    assert count == 4_000
    assert peak_megabytes() - before < 20


def test_a_gzip_on_disk_is_unpacked_in_flat_memory(tmp_path):
    path = tmp_path / "feed.xml.gz"
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    with path.open("wb") as file:
        stream = Stream(800)
        while chunk := stream.read(2**18):
            file.write(packer.compress(chunk))
        file.write(packer.flush())
    before = peak_megabytes()

    with open_document(path) as document:
        count = sum(1 for _ in iterate(document, {ENTRY}))

    assert count == 800
    assert peak_megabytes() - before < 40
