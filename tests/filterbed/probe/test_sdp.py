"""Where a session description wants the audio."""

from __future__ import annotations

import pytest

from filterbed.probe.sdp import Offer, read

SDP = "v=0\nc=IN IP4 192.0.2.9\nm=audio 4000 RTP/AVP 0 8\n"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (SDP, Offer("192.0.2.9", 4000, False, (0, 8))),
        (SDP + "a=rtcp-mux\n", Offer("192.0.2.9", 4000, True, (0, 8))),
        (SDP.replace("\n", "\r\n") + "a=rtcp-mux\r\n", Offer("192.0.2.9", 4000, True, (0, 8))),
        ("c=IN IP6 2001:db8::9\nm=audio 6 RTP/AVP 8\n", Offer("2001:db8::9", 6, False, (8,))),
        ("c=IN IP4 media.site.net\nm=audio 4000 RTP/AVP 0\n", None),
        ("c=IN IP4 192.0.2.9\nm=audio 0 RTP/AVP 0\n", None),
        ("c=IN IP4 192.0.2.9\nm=audio 99999 RTP/AVP 0\n", None),
        ("c=IN IP4 192.0.2.9\nm=video 4000 RTP/AVP 31\n", None),
        ("", None),
    ],
)
def test_read(body: str, found: Offer | None) -> None:
    assert read(body) == found
