"""SIP, fed everyday messages and the torture of RFC 4475."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.head import LIMIT
from censor.dissect.outcome import Incomplete
from censor.dissect.sip import NotSip, Request, Response, Uri, dissect, read_uri
from fuzz.growth import FACTOR, SLACK, work


def crlf(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


INVITE = crlf("""INVITE sip:echo@Sip.Example.com:5070;transport=udp SIP/2.0
Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1, SIP/2.0/UDP 192.0.2.2
Max-Forwards: 70
From: "Alice" <sip:alice@example.com>;tag=1
To: <sip:echo@sip.example.com>
Call-ID: 1-7@192.0.2.1
CSeq: 1 INVITE
User-Agent: phone/1
Content-Type: application/sdp
Content-Length: 5

v=0
""")

OK = crlf("""SIP/2.0 200 OK
v: SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK2
f: sip:alice@example.com;tag=1
t: <tel:+86-10-1234;phone-context=cn>;tag=2
i: 1-7@192.0.2.1
CSeq: 2 REGISTER
l: 0

""")

# RFC 4475 section 3.1.1.1, "A Short Tortuous INVITE"
TORTUOUS = crlf("""INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0
TO :
 sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n
from   : "J Rosenberg \\\\\\""       <sip:jdrosen@example.com>
  ;
  tag = 98asjd8
MaX-fOrWaRdS: 0068
Call-ID: wsinv.ndaksdj@192.0.2.1
Content-Length   : 150
cseq: 0009
  INVITE
Via  : SIP  /   2.0
 /UDP
    192.0.2.2;branch=390skdjuw
s :
NewFangledHeader:   newfangled value
 continued newfangled value
UnknownHeaderWithUnusualValue: ;;,,;;,;
Content-Type: application/sdp
Route:
 <sip:services.example.com;lr;unknownwith=value;unknown-no-value>
v:  SIP  / 2.0  / TCP     spindle.example.com   ;
  branch  =   z9hG4bK9ikj8  ,
 SIP  /    2.0   / UDP  192.168.255.111   ; branch=
 z9hG4bK30239
m:"Quoted string \\"\\"" <sip:jdrosen@example.com> ; newparam =
      newvalue ;
  secondparam ; q = 0.33

""")


def request(payload: bytes, *, partial: bool = False) -> Request:
    found = dissect(payload, partial=partial)
    assert isinstance(found, Request), found
    return found


def test_an_everyday_request() -> None:
    found = request(INVITE)
    assert found.method == "INVITE"
    assert (found.uri.scheme, found.uri.user) == ("sip", "echo")
    assert (found.uri.host, found.uri.port) == ("sip.example.com", 5070)
    assert found.uri.text == "sip:echo@Sip.Example.com:5070;transport=udp"
    assert (found.call_id, found.cseq) == ("1-7@192.0.2.1", (1, "INVITE"))
    assert found.sender == Uri("sip:alice@example.com", "sip", "alice", "example.com", None)
    assert found.recipient is not None
    assert found.recipient.host == "sip.example.com"
    assert found.via == "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1"
    assert (found.user_agent, found.header("content-type")) == ("phone/1", "application/sdp")
    assert found.content_length == 5
    assert INVITE[found.body :] == b"v=0\r\n"
    assert found.header("max-forwards") == "70"
    assert found.header("contact") is None
    assert found.complete


def test_a_response_in_compact_form() -> None:
    found = dissect(OK)
    assert isinstance(found, Response)
    assert (found.status, found.reason) == (200, "OK")
    assert (found.call_id, found.cseq) == ("1-7@192.0.2.1", (2, "REGISTER"))
    assert found.via == "SIP/2.0/TCP 192.0.2.1;branch=z9hG4bK2"
    assert found.sender == Uri("sip:alice@example.com", "sip", "alice", "example.com", None)
    assert found.recipient is not None
    assert (found.recipient.scheme, found.recipient.user) == ("tel", "+86-10-1234")
    assert found.content_length == 0
    assert found.body == len(OK)
    assert found.header("content-length") == "0"


def test_a_tortuous_request() -> None:
    found = request(TORTUOUS)
    assert found.uri.host == "chair-dnrc.example.com"
    assert found.cseq == (9, "INVITE")
    assert found.call_id == "wsinv.ndaksdj@192.0.2.1"
    assert found.content_length == 150
    assert found.via == "SIP  /   2.0 /UDP 192.0.2.2;branch=390skdjuw"
    assert found.sender == Uri("sip:jdrosen@example.com", "sip", "jdrosen", "example.com", None)
    assert found.recipient is not None
    assert found.recipient.user == "vivekg"
    assert found.header("subject") == ""
    assert found.body == len(TORTUOUS)


@pytest.mark.parametrize("sample", [INVITE, OK, TORTUOUS, INVITE.replace(b"\r\n", b"\n")])
def test_streams_are_borne(torture: Callable[..., None], sample: bytes) -> None:
    head = sample.index(b"\n\r\n") + 3 if b"\r" in sample else sample.index(b"\n\n") + 2
    torture(dissect, sample, head)
    torture(dissect, b"\r\n\r\n" + sample + OK, head + 4)


def test_a_stream_of_messages_is_read_one_after_the_other() -> None:
    stream = INVITE + OK + b"\r\n\r\n" + INVITE
    methods = []
    while stream:
        found = dissect(stream)
        assert isinstance(found, (Request, Response))
        methods.append(found.method if isinstance(found, Request) else found.status)
        stream = stream[found.body + (found.content_length or 0) :]
    assert methods == ["INVITE", 200, "INVITE"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip:example.com", ("sip", None, "example.com", None)),
        ("SIPS:a@EXAMPLE.com:5061", ("sips", "a", "example.com", 5061)),
        ("sip:a:pw@example.com?subject=x@y", ("sip", "a", "example.com", None)),
        ("sip:a@[2001:DB8::1]:5060;lr", ("sip", "a", "2001:db8::1", 5060)),
        (
            "sip:+8610;phone-context=cn@example.com",
            ("sip", "+8610;phone-context=cn", "example.com", None),
        ),
        ("sip:@example.com", ("sip", "", "example.com", None)),
        ("tel:+1-201", ("tel", "+1-201", None, None)),
        ("tel:", ("tel", None, None, None)),
        ("sip:", ("sip", None, None, None)),
        ("*", ("", None, None, None)),
        ("http://example.com/x", ("http", None, "//example.com/x", None)),
    ],
)
def test_uris(text: str, expected: tuple[str, str | None, str | None, int | None]) -> None:
    uri = read_uri(text)
    assert (uri.scheme, uri.user, uri.host, uri.port) == expected
    assert uri.text == text


@pytest.mark.parametrize(
    ("value", "host"),
    [
        (b"<sip:a@b.example>", "b.example"),
        (b"A B <sip:a@b.example;x=y>;tag=1", "b.example"),
        (b'"a <sip:x@y>" <sip:a@b.example>', "b.example"),
        (b'"q\\"<" <sip:a@b.example>', "b.example"),
        (b"sip:a@b.example;tag=1", "b.example"),
        (b"<>", None),
        (b'"open <sip:a@b.example>', None),
        (b"", None),
    ],
)
def test_addresses(value: bytes, host: str | None) -> None:
    found = request(b"BYE sip:a SIP/2.0\r\nFrom: " + value + b"\r\n\r\n")
    assert (found.sender.host if found.sender else None) == host


@pytest.mark.parametrize(
    ("line", "length"),
    [
        (b"Content-Length: 12", 12),
        (b"l:0", 0),
        (b"Content-Length: x", None),
        (b"Content-Length: -1", None),
        (b"Content-Length: " + b"9" * 5_000, None),
        (b"X: 1", None),
    ],
)
def test_content_lengths(line: bytes, length: int | None) -> None:
    assert request(b"BYE sip:a SIP/2.0\r\n" + line + b"\r\n\r\n").content_length == length


@pytest.mark.parametrize(
    "payload",
    [
        b"\0\0\0\0",
        b"\x80\0\x12\x34",  # RTP
        b"GET / HTTP/1.1\r\n",
        b"SIP/3.0 200 OK\r\n",
        b"SIP/2.0 99 Low\r\n",
        b"SIP/2.0 2000 High\r\n",
        b"sip/2.0x",
        b"REGISTER sip:a\r\n",
        b"REGISTER sip:a SIP/2.1\r\n",
        b"jaK\r\n",
        b"A" * 33,
    ],
)
def test_what_is_not_sip_is_known_at_once(payload: bytes) -> None:
    assert isinstance(dissect(payload), NotSip)


def test_a_keep_alive_is_nothing_yet() -> None:
    assert dissect(b"") == dissect(b"\r\n\r\n") == Incomplete()


def test_partial_heads() -> None:
    first = INVITE[: INVITE.index(b"\n") + 1]
    assert isinstance(dissect(first), Incomplete)
    found = request(first + b"Via: unfin", partial=True)
    assert (found.method, found.uri.host, found.complete) == ("INVITE", "sip.example.com", False)
    assert found.via is None
    assert isinstance(dissect(first[:-1], partial=True), Incomplete)


def test_heads_are_bounded() -> None:
    assert isinstance(dissect(INVITE, limit=20), NotSip)
    assert isinstance(dissect(b"BYE sip:a SIP/2.0\r\nX: " + b"y" * LIMIT), NotSip)
    assert isinstance(dissect(b"\r\n" * LIMIT), NotSip)


@given(st.binary(max_size=300), st.booleans())
def test_arbitrary_bytes_are_answered(data: bytes, partial: bool) -> None:
    found = dissect(data, partial=partial)
    assert isinstance(found, (Request, Response, Incomplete, NotSip))


@given(st.binary(max_size=100), st.sampled_from([b"From", b"CSeq", b"Via", b"l", b"To"]))
def test_arbitrary_values_are_answered(data: bytes, name: bytes) -> None:
    payload = b"BYE sip:a SIP/2.0\r\n" + name + b": " + data + b"\r\n\r\n"
    found = request(payload)
    assert found.sender is None or found.sender.scheme
    assert found.recipient is None or found.recipient.scheme
    assert found.cseq is None or found.cseq[1]
    assert found.via is None or not found.via.endswith(" ")
    assert found.content_length is None or found.content_length >= 0


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=60))
def test_arbitrary_uris_are_answered(text: str) -> None:
    uri = read_uri(text)
    assert uri.text == text
    assert uri.host != ""


@pytest.mark.parametrize(
    "filler", [b" ", b'"', b"\\", b'"<', b"<", b'\\"', b"a", b";", b":", b"@", b"9", b"[", b"X:\n"]
)
def test_no_filler_takes_more_than_linear_time(filler: bytes) -> None:
    def run(body: bytes) -> None:
        for line in (b"From: ", b"CSeq: 1", b"Via: ", b""):
            dissect(b"BYE sip:a SIP/2.0\r\n" + line + body + b"\r\n\r\n")
        dissect(b"BYE sip:" + body + b" SIP/2.0\r\n\r\n")
        dissect(b"SIP/2.0 200 " + body + b"\r\n\r\n")

    whole = (filler * LIMIT)[: LIMIT - 100]
    assert work(run, whole) <= FACTOR * SLACK * work(run, whole[: len(whole) // FACTOR])
