"""Where interception cannot be had, it says why; what it does is in tests/live."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from censor.drivers.diversion import _do, _flow, _request
from censor.errors import MachineError
from censor.rule.takeover import Forgery, Takeover

ONE = Takeover(
    client=socket.inet_pton(socket.AF_INET6, "2600::2"), client_port=4000,
    server=socket.inet_pton(socket.AF_INET6, "2600::9"), server_port=443,
    received=b"hello", first=1, next=2, size=1400, scales=None, sack=False, echoed=None,
    name="vk.com", protocols=("h2",), forgery=Forgery("Qaznet", own=True),
)  # fmt: skip


def test_a_kernel_that_lacks_something_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "iptables-restore"
    tool.write_text("#!/bin/sh\necho 'Extension socket revision 0 not supported' >&2; exit 2\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match=r"cannot intercept.*revision 0.*`socket`"):
        _do(["iptables-restore", "--noflush"], "*mangle\n")


def test_a_tool_that_is_missing_is_named() -> None:
    with pytest.raises(MachineError, match="no-such-tool: not found"):
        _do(["no-such-tool"])


def test_what_the_interceptor_is_told() -> None:
    assert _flow(ONE) == {
        "protocol": "tcp", "client": "2600::2", "client_port": 4000,
        "server": "2600::9", "server_port": 443,
    }  # fmt: skip
    request = _request(ONE)
    assert (request["server"], request["name"]) == (["2600::9", 443], "vk.com")
    assert (request["protocols"], request["issuer"], request["own"]) == (["h2"], "Qaznet", True)
