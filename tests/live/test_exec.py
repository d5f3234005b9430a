"""`filterbed exec`: what goes in comes out, and real clients see what the scenario says."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]
SCENARIO = "dns/pool-2010"
TRUE_ADDRESS = "69.63.189.16"


def command(
    *words: str, scenario: str = SCENARIO, at: str = "client", idle: bool = False
) -> list[str]:
    mode = ["--idle"] if idle else ["--active"]
    filterbed = [sys.executable, "-P", "-m", "filterbed", "exec", scenario, "--at", at, *mode]
    return [*filterbed, "--", *words]


def exec_(*words: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    how: dict[str, Any] = {key: more.pop(key) for key in ("scenario", "at", "idle") if key in more}
    env = {**os.environ, "PYTHONPATH": str(PROJECT), **more.pop("env", {})}
    options: dict[str, Any] = {"cwd": PROJECT} | more
    if "input" not in more:
        options["stdin"] = subprocess.DEVNULL
    done: subprocess.CompletedProcess[bytes] = subprocess.run(
        command(*words, **how), capture_output=True, timeout=90, env=env, check=False, **options
    )
    return done


def test_a_megabyte_goes_through_byte_for_byte() -> None:
    data = random.Random(1).randbytes(1 << 20)
    done = exec_("sh", "-c", "tee /dev/stderr", input=data)
    assert done.returncode == 0
    assert done.stdout == data
    assert done.stderr == data


ENDS = {
    "exit 0": 0, "exit 1": 1, "exit 125": 125, "exit 127": 127, "exit 255": 255,
    "kill -9 $$": 137, "exec 1>&-; exec 2>&-; exit 9": 9,
}  # fmt: skip


def test_the_commands_status_is_passed() -> None:
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(ENDS, pool.map(lambda end: exec_("sh", "-c", end), ENDS), strict=True))
    assert {end: done.returncode for end, done in found.items()} == ENDS
    assert all((done.stdout, done.stderr) == (b"", b"") for done in found.values())


def test_what_cannot_be_run_has_the_statuses_of_a_shell(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("#!/bin/sh\n")
    for words, status, said in (
        (["no-such-command"], 127, b"no-such-command: command not found"),
        ([str(plain)], 126, b"plain: Permission denied"),
        (["/etc"], 126, b"/etc: Permission denied"),
    ):
        done = exec_(*words)
        assert (done.returncode, done.stdout) == (status, b"")
        assert said in done.stderr


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"at": "nobody"}, b"no host 'nobody'; there are client, border, censor"),
        ({"scenario": "dns/none"}, b"dns/none"),
        ({"scenario": "@all"}, b"exec takes one scenario"),
    ],
    ids=["host", "scenario", "pack"],
)
def test_our_own_failure_is_125(how: dict[str, str], said: bytes) -> None:
    done = exec_("true", **how)
    assert done.returncode == 125
    assert said.split(b"; ")[0] in done.stderr
    assert b"Traceback" not in done.stderr


# What real clients see ----------------------------------------------------------------------------


@pytest.mark.parametrize("resolver", ["8.8.8.8", "2001:4860:4860::8888"])
def test_dig_gets_a_forged_answer_over_both_versions(resolver: str) -> None:
    digs = ["dig", "+short", "+tries=1", f"@{resolver}"]
    script = "; ".join(
        " ".join([*digs, name]) for name in ("www.facebook.com", "www.facebook.com +tcp",
                                             "www.debian.org")
    )  # fmt: skip
    forged, over_tcp, innocent = exec_("sh", "-c", script).stdout.decode().split()
    assert ip_address(forged).is_global
    assert forged != TRUE_ADDRESS
    assert (over_tcp, innocent) == (TRUE_ADDRESS, "206.12.19.7")
    honest = exec_("sh", "-c", script, idle=True).stdout.decode().split()
    assert honest == [TRUE_ADDRESS, TRUE_ADDRESS, "206.12.19.7"]


def test_curl_is_shown_the_block_page() -> None:
    curl = "curl -s -w '\\n%{http_code}\\n' http://"
    script = f"{curl}twitter.com/; {curl}vimeopro.com/"
    text = exec_("sh", "-c", script, scenario="http/blockpage").stdout.decode()
    assert re.findall(r"^\d{3}$", text, re.M) == ["403", "200"]
    assert "10.10.34.34" in text.partition("403")[0]
    text = exec_("sh", "-c", script, scenario="http/blockpage", idle=True).stdout.decode()
    assert re.findall(r"^\d{3}$", text, re.M) == ["200", "200"]


def test_curl_is_reset_for_a_host() -> None:
    script = "curl -s http://twitter.com/ >&2; echo $?; curl -s http://bit.ly/ >&2; echo $?"
    assert exec_("sh", "-c", script, scenario="http/rst-host").stdout.split() == [b"56", b"0"]
    idle = exec_("sh", "-c", script, scenario="http/rst-host", idle=True)
    assert idle.stdout.split() == [b"0", b"0"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_is_reset_for_a_server_name_and_then_for_the_address() -> None:
    script = "\n".join(
        f"openssl s_client -connect {name}:443 -servername {name} </dev/null 2>&1 "
        "| grep -c 'BEGIN CERTIFICATE'"
        for name in ("www.debian.org", "docs.python.org", "www.nyt.com", "docs.python.org")
    )
    done = exec_("sh", "-c", script, scenario="tls/rst-sni-residual")
    debian, before, blocked, after = done.stdout.split()
    assert (debian, before) == (b"1", b"1")
    assert (blocked, after) == (b"0", b"0")


REGISTER = """<?xml version="1.0" encoding="ISO-8859-1" ?>
<scenario name="register">
<send retrans="500"><![CDATA[
REGISTER sip:[service] SIP/2.0
Via: SIP/2.0/UDP [local_ip]:[local_port];branch=[branch]
From: <sip:alice@[service]>;tag=[pid]
To: <sip:alice@[service]>
Call-ID: [call_id]
CSeq: 1 REGISTER
Contact: <sip:alice@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="401" timeout="2500"/>
</scenario>
"""


def test_sipp_reaches_the_licensed_carriers_only(tmp_path: Path) -> None:
    path = tmp_path / "register.xml"
    path.write_text(REGISTER)
    sipp = f"sipp -sf {path} -m 1 -nostdin -timeout 4s"
    script = f"""
for name in sip.10010.com sip.189.cn iptel.org ekiga.net; do
    {sipp} -s $name $(dig +short $name):5060 >/dev/null 2>&1; echo $?
done; : {path}"""
    told = f"{path}"
    active = exec_("sh", "-c", script, told, scenario="voip/two-carriers")
    first, second, *foreign = active.stdout.split()
    assert (first, second) == (b"0", b"0"), active
    assert b"0" not in foreign
    assert len(foreign) == 2
    idle = exec_("sh", "-c", script, told, scenario="voip/two-carriers", idle=True)
    assert idle.stdout.split() == [b"0"] * 4


# Where commands lie -------------------------------------------------------------------------------


def script_at(path: Path, body: str = "echo it runs in $PWD") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_a_relative_command_and_its_files_in_the_working_directory(tmp_path: Path) -> None:
    here = tmp_path / "here"
    script_at(here / "tool" / "go", 'cat data; echo "$@"; echo in $PWD')
    (here / "data").write_text("some data\n")
    here.chmod(0o755)
    done = exec_("tool/go", "a  b", "*", "", cwd=here)
    assert done.stdout.decode() == f"some data\na  b * \nin {here}\n", done.stderr
    done = exec_("cat", "../here/data", cwd=here)
    assert done.stdout == b"some data\n"


@pytest.mark.parametrize("cwd", ["/", "/tmp", "~"])
def test_any_working_directory(tmp_path: Path, cwd: str) -> None:
    path = script_at(tmp_path / "go")
    where = os.path.expanduser(cwd)
    if not os.access(where, os.X_OK):
        pytest.skip(f"{where} is closed to the user who runs these tests")
    done = exec_(str(path), cwd=where)
    assert done.stdout.decode() == f"it runs in {where}\n", done.stderr


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory below the caller's own home, which others may not enter."""
    real = Path(os.path.expanduser("~"))
    if not os.access(real, os.W_OK):
        pytest.skip("the user who runs these tests has no home to write in")
    path = real / f".filterbed-test-{os.getpid()}"
    path.mkdir(mode=0o755)
    yield path
    shutil.rmtree(path)


def test_a_command_in_a_home_that_is_closed_to_others(home: Path) -> None:
    secret = home / "secret"
    secret.write_text("nobody's business")
    path = script_at(home / "bin" / "go", f"echo it runs; cat {secret}; ls -A ~root {home.parent}")
    mode = home.parent.stat().st_mode
    done = exec_(str(path), cwd="/")
    assert b"it runs" in done.stdout
    assert home.parent.stat().st_mode == mode
    listed = done.stdout.decode().split()
    assert ".bashrc" not in listed
    assert ".ssh" not in listed


def test_commands_that_are_links_into_a_home(home: Path, tmp_path: Path) -> None:
    script_at(home / "versions" / "2" / "bin" / "go", 'cat "$(dirname "$0")/../share/text"')
    share = home / "versions" / "2" / "share"
    share.mkdir()
    (share / "text").write_text("found\n")
    (home / "current").symlink_to("versions/2")
    (home / "link").symlink_to("current/bin/go")
    outside = tmp_path / "outside"
    outside.symlink_to(home / "link")
    assert exec_(str(home / "current" / "bin" / "go"), cwd="/").stdout == b"found\n"
    for link in (home / "link", outside):
        done = exec_("sh", "-c", f"readlink -f {link}; test -x {link} && echo yes", str(link))
        assert done.stdout.decode().split() == [str(home / "versions/2/bin/go"), "yes"]
    path = f"{home}/current/bin:{os.environ['PATH']}"
    assert exec_("go", cwd="/", env={"PATH": path}).stdout == b"found\n"


def test_a_tool_in_a_virtual_environment_under_a_home(home: Path) -> None:
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", home / "venv"], check=True)
    (library,) = (home / "venv" / "lib").glob("python3*/site-packages")
    (library / "probing.py").write_text("word = 'its own library'")
    tool = script_at(home / "venv" / "bin" / "tool")
    tool.write_text(f"#!{home}/venv/bin/python\nimport probing; print(probing.word)\n")
    (home / "bin").mkdir()
    (home / "bin" / "tool").symlink_to(tool)
    done = exec_("tool", cwd="/", env={"PATH": f"{home}/bin:{os.environ['PATH']}"})
    assert done.stdout == b"its own library\n", done.stderr


def test_another_hosts_command_sees_its_network_and_changes_nothing_else() -> None:
    script = """
ip -br address show dev auth-eth0 | grep -c 4.68.45.18
dig +short @208.78.70.16 www.facebook.com
mount -o remount,rw / 2>/dev/null && echo remounted
umount -l /tmp 2>/dev/null && echo unmounted
cat /etc/shadow 2>/dev/null
echo 1 2>/dev/null > /proc/sys/vm/compact_memory && echo wrote
ls -A /proc | grep -c '^[0-9]'
"""
    done = exec_("bash", "-c", script, at="auth")
    lines = done.stdout.decode().split()
    assert lines[:2] == ["1", TRUE_ADDRESS]
    assert len(lines) == 3
    assert int(lines[2]) <= 6
