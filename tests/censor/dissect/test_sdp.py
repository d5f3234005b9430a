"""Session descriptions: where media go, and that anything else announces nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.sdp import MEDIA_LIMIT, dissect

HERE, THERE = bytes([24, 48, 0, 2]), bytes([93, 184, 216, 34])


@pytest.mark.parametrize(
    ("lines", "ends"),
    [
        (["c=IN IP4 24.48.0.2", "m=audio 6000 RTP/AVP 0"], [(HERE, 6000)]),
        (["m=audio 6000 RTP/AVP 0", "c=IN IP4 24.48.0.2"], [(HERE, 6000)]),
        (["c=IN IP4 24.48.0.2", "m=audio 6000 RTP/AVP 0", "m=video 6002 RTP/SAVPF 96",
          "c=IN IP4 93.184.216.34"], [(HERE, 6000), (THERE, 6002)]),
        (["c=IN IP4 24.48.0.2/127", "m=audio 6000/2 RTP/AVP 0"], [(HERE, 6000)]),
        (["c=IN IP6 2600::1", "m=audio 6000 RTP/AVP 0"], [(b"\x26" + bytes(14) + b"\1", 6000)]),
        (["c=IN IP4 24.48.0.2", "m=audio 0 RTP/AVP 0"], []),
        (["c=IN IP4 24.48.0.2", "m=audio 65536 RTP/AVP 0"], []),
        (["c=IN IP4 24.48.0.2", "m=application 6000 TCP/WSS *"], []),
        (["c=IN IP4 media.example", "m=audio 6000 RTP/AVP 0"], []),
        (["c=IN IP4 24.48.0.999", "m=audio 6000 RTP/AVP 0"], []),
        (["m=audio 6000 RTP/AVP 0"], []),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_where_media_go(lines: list[str], ends: list[object], end: str) -> None:
    body = end.join(["v=0", "o=- 1 1 IN IP4 1.2.3.4", "s=-", *lines, ""])
    assert list(dissect(body.encode())) == ends


def test_only_so_many_are_read() -> None:
    lines = b"m=audio 6000 RTP/AVP 0\n" * 100
    assert len(dissect(b"v=0\nc=IN IP4 24.48.0.2\n" + lines)) == MEDIA_LIMIT


def test_what_is_no_description_announces_nothing() -> None:
    assert dissect(b"") == ()
    assert dissect(b"c=IN IP4 24.48.0.2\nm=audio 6000 RTP/AVP 0\n") == ()


@given(st.binary(max_size=200))
def test_any_bytes(body: bytes) -> None:
    assert isinstance(dissect(b"v=0\n" + body), tuple)
