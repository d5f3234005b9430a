"""DNS, against dnspython's reading of the same bytes."""

from __future__ import annotations

from collections.abc import Callable

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scapy.layers.dns import DNS, DNSQR, DNSRR

from censor.dissect.dns import (
    NAME_LIMIT,
    POINTER_LIMIT,
    QUESTION_LIMIT,
    Message,
    Question,
    dissect,
    read_name,
    spell,
)
from censor.dissect.outcome import Incomplete
from fuzz.growth import FACTOR, SLACK, work

LABELS = st.one_of(
    st.from_regex(rb"[A-Za-z0-9_\-]{1,20}", fullmatch=True), st.binary(min_size=1, max_size=63)
)
NAMES = st.lists(LABELS, max_size=6).map(lambda labels: b"".join(map(length_first, labels)) + b"\0")
NAMES = NAMES.filter(lambda wire: len(wire) <= NAME_LIMIT)


def length_first(label: bytes) -> bytes:
    return bytes((len(label),)) + label


def message(payload: bytes, *, tcp: bool = False) -> Message:
    found = dissect(payload, tcp=tcp)
    assert isinstance(found, Message), found
    return found


def query(name: str, qtype: str = "A", *, dnssec: bool = False) -> bytes:
    return dns.message.make_query(name, qtype, use_edns=True, want_dnssec=dnssec).to_wire()


def agree(found: Message, theirs: dns.message.Message) -> None:
    assert found.id == theirs.id
    assert found.qr == bool(theirs.flags & dns.flags.QR)
    assert found.rd == bool(theirs.flags & dns.flags.RD)
    assert found.opcode == theirs.opcode()
    assert found.rcode == theirs.rcode() & 15
    if len(found.questions) == len(theirs.question):  # dnspython unites equal questions
        for ours, rrset in zip(found.questions, theirs.question, strict=True):
            assert dns.name.from_text(ours.name) == rrset.name
            assert dns.name.from_wire(ours.wire, 0)[0] == rrset.name
            assert (ours.qtype, ours.qclass) == (rrset.rdtype, rrset.rdclass)
    if theirs.edns >= 0:
        assert found.edns is not None
        assert found.edns.size == theirs.payload
        assert found.edns.version == theirs.edns
        assert found.edns.dnssec_ok == bool(theirs.ednsflags & dns.flags.DO)


def test_an_everyday_query() -> None:
    found = message(query("WwW.Example.COM", "AAAA", dnssec=True))
    wire = b"\3WwW\7Example\3COM\0"
    assert found.questions == (Question("www.example.com", wire, 28, 1),)
    assert found.question_end == 12 + len(wire) + 4
    assert (found.qr, found.rd, found.opcode, found.rcode) == (False, True, 0, 0)
    assert found.edns is not None
    assert found.edns.dnssec_ok


@given(NAMES, st.integers(0, 65_535), st.integers(0, 65_535))
def test_any_name_is_read_as_dnspython_reads_it(wire: bytes, qtype: int, qclass: int) -> None:
    tail = qtype.to_bytes(2, "big") + qclass.to_bytes(2, "big")
    payload = b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + wire + tail
    found = message(payload)
    assert found.questions[0][1:] == (wire, qtype, qclass)
    assert found.question_end == len(payload)
    theirs, _ = dns.name.from_wire(wire, 0)
    assert dns.name.from_text(found.questions[0].name) == theirs
    assert found.questions[0].name.isascii()
    assert found.questions[0].name.isprintable()


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        (b"\0", "."),
        (b"\3a.b\1c\0", "a\\046b.c"),
        (b"\4\xff\0 A\0", "\\255\\000\\032a"),
        (b'\x0a\\"();@$-ok\0', "\\092\\034\\040\\041\\059\\064\\036-ok"),
        (b"\6_dmARc\3A-z\0", "_dmarc.a-z"),
    ],
)
def test_spelling(wire: bytes, name: str) -> None:
    assert spell(wire) == name


@given(st.lists(NAMES, min_size=2, max_size=6, unique_by=bytes.lower))
@settings(deadline=None)
def test_compressed_questions_are_read(wires: list[bytes]) -> None:
    made = dns.message.QueryMessage(id=1)
    for wire in wires:
        name, _ = dns.name.from_wire(wire, 0)
        made.question.append(dns.rrset.RRset(name, dns.rdataclass.IN, dns.rdatatype.A))
    found = message(made.to_wire())
    assert len(found.questions) == len(wires)
    for ours, rrset in zip(found.questions, made.question, strict=True):
        assert dns.name.from_text(ours.name) == rrset.name


@given(st.data())
@settings(deadline=None)
def test_what_dnspython_accepts_is_accepted_alike(data: st.DataObject) -> None:
    made = dns.message.make_query("a.example.com", "A", want_dnssec=True)
    made.question.append(
        dns.rrset.RRset(dns.name.from_text("b.example.com"), dns.rdataclass.IN, dns.rdatatype.AAAA)
    )
    sample = bytearray(made.to_wire())
    for _ in range(data.draw(st.integers(0, 3))):
        sample[data.draw(st.integers(0, len(sample) - 1))] = data.draw(st.integers(0, 255))
    found = dissect(bytes(sample))
    try:
        theirs = dns.message.from_wire(bytes(sample))
    except dns.exception.DNSException:
        return
    assert isinstance(found, Message)
    if isinstance(theirs, dns.message.QueryMessage):
        agree(found, theirs)


def test_an_answer_by_scapy() -> None:
    payload = bytes(
        DNS(
            id=7,
            qr=1,
            rcode=3,
            qd=DNSQR(qname="example.com"),
            an=[DNSRR(rrname="example.com", rdata="192.0.2.1")],
        )
    )
    found = message(payload)
    assert (found.id, found.qr, found.rcode, found.answers) == (7, True, 3, 1)
    assert found.questions[0].name == "example.com"
    assert found.edns is None


def test_edns_is_found_behind_other_records() -> None:
    made = dns.message.make_query("example.com", "A", want_dnssec=True, payload=1400)
    response = dns.message.make_response(made, our_payload=1300)
    for section in (response.answer, response.authority, response.additional):
        section.append(dns.rrset.from_text("example.com.", 60, "IN", "A", "192.0.2.1", "192.0.2.2"))
    found = message(response.to_wire())
    assert found.edns == (1300, 0, False)
    assert (found.answers, found.authorities, found.additionals) == (2, 2, 3)


def test_edns_counts_only_where_it_belongs() -> None:
    option = b"\0\0\x29\5\0\0\0\0\0\0\0"
    header = b"\0\1\x81\0\0\0"
    assert message(header + b"\0\1\0\0\0\1" + option * 2).edns is not None
    plain = b"\0\0\1\0\1\0\0\0\0\0\0"
    assert message(header + b"\0\1\0\0\0\1" + option + plain).edns is None
    assert message(header + b"\0\0\0\1\0\1" + option + plain).edns is None
    named = b"\1a" + option
    assert message(header + b"\0\0\0\0\0\1" + named).edns is None


def test_records_that_do_not_fit_hide_edns_and_nothing_else() -> None:
    whole = query("example.com")
    cut = message(whole[:-1])
    assert cut.questions == message(whole).questions
    assert message(whole[:-2] + b"\0\1").edns is not None  # its own data is not looked at
    assert message(whole[:-11]).edns is None


def bear_prefixes(payload: bytes) -> None:
    end = message(payload).question_end
    for size in range(len(payload)):
        found = dissect(payload[:size])
        assert (found is None) == (size < end)


def test_every_prefix_of_a_datagram_is_answered() -> None:
    bear_prefixes(query("www.example.com", dnssec=True))


def test_a_stream_is_borne(torture: Callable[..., None]) -> None:
    payload = query("www.example.com", dnssec=True)
    stream = len(payload).to_bytes(2, "big") + payload
    torture(lambda data: dissect(data, tcp=True), stream + stream, len(stream))
    assert dissect(stream, tcp=True) == dissect(payload)


def test_a_stream_asks_for_what_it_lacks() -> None:
    assert dissect(b"", tcp=True) == Incomplete(14)
    assert dissect(b"\0\x20", tcp=True) == Incomplete(32)
    assert dissect(b"\0\x20abc", tcp=True) == Incomplete(29)
    assert dissect(b"\0\x0b", tcp=True) is None


@given(st.binary(max_size=600), st.booleans())
def test_arbitrary_bytes_are_answered(data: bytes, tcp: bool) -> None:
    found = dissect(data, tcp=tcp)
    assert found is None or isinstance(found, Message) or (tcp and isinstance(found, Incomplete))


@given(st.binary(max_size=80), st.integers(0, 80))
def test_arbitrary_names_are_answered(data: bytes, place: int) -> None:
    found = read_name(data, place)
    if found is not None:
        wire, behind = found
        assert len(wire) <= NAME_LIMIT
        assert place < behind <= len(data)
        assert spell(wire)


HEADER = b"\0\1\1\0\0\1\0\0\0\0\0\0"
TAIL = b"\0\1\0\1"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        HEADER[:11],
        HEADER,
        HEADER + b"\3www\0" + TAIL[:3],
        HEADER + b"\3ww",
        HEADER + b"\x40" + TAIL,  # label types 01 and 10 are reserved
        HEADER + b"\x80" + TAIL,
        HEADER + b"\xc0",
        HEADER + b"\xc0\x0c" + TAIL,  # to itself
        HEADER + b"\xc0\x0e\0" + TAIL,  # forwards
        HEADER + b"\1a\xc0\x0c" + TAIL,  # round and round
        HEADER + (b"\x3f" + b"a" * 63) * 3 + b"\x3e" + b"b" * 62 + b"\0" + TAIL,  # 256 bytes
        HEADER[:4] + bytes((0, QUESTION_LIMIT + 1)) + HEADER[6:] + (b"\0" + TAIL) * 20,
    ],
)
def test_what_is_no_message(payload: bytes) -> None:
    assert dissect(payload) is None


def test_the_longest_name_and_the_most_questions_are_read() -> None:
    longest = (b"\x3f" + b"a" * 63) * 3 + b"\x3d" + b"b" * 61 + b"\0"
    assert len(longest) == NAME_LIMIT
    assert message(HEADER + longest + TAIL).questions[0].wire == longest
    many = HEADER[:4] + bytes((0, QUESTION_LIMIT)) + HEADER[6:] + (b"\0" + TAIL) * QUESTION_LIMIT
    assert len(message(many).questions) == QUESTION_LIMIT


def test_pointers_are_counted() -> None:
    def chain(count: int) -> bytes:
        return b"\0\0" + b"".join((0xC000 | at * 2).to_bytes(2, "big") for at in range(count))

    assert read_name(chain(POINTER_LIMIT), POINTER_LIMIT * 2) is not None
    assert read_name(chain(POINTER_LIMIT + 1), POINTER_LIMIT * 2 + 2) is None


def test_a_large_message_of_records_takes_linear_time() -> None:
    head, record = HEADER[:4] + b"\0\0\xff\xff\0\0\xff\xff", b"\0\0\1\0\1\0\0\0\0\0\0"
    assert message(head + record * 5_900).edns is None
    few, many = (work(message, head + record * n) for n in (500, 500 * FACTOR))
    assert many <= FACTOR * SLACK * few
