"""bin/bootstrap: what it says, whom it asks, and that it leaves no service and no policy behind.

Installing for real is not tried here: apt-get is a script of the test's own, in a mount namespace
in which /usr/sbin is the test's folder.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
POLICY = "policy-rc.d"
SCRATCH = ("unshare", "-U", "-r", "-m")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of what bootstrap reads, with packages of the test's own."""

    path: Path

    def run(self, *options: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = dict(os.environ)
        if path is not None:
            environment["PATH"] = path
        return subprocess.run(
            [self.path / "bin/bootstrap", *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    here = tmp_path / "check out"
    (here / "bin").mkdir(parents=True)
    for name in ("bin/bootstrap", "bin/build.txt", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, here / name)
    (here / "bin/packages.txt").write_text("# nothing is needed\n")
    return Checkout(here)


def need(checkout: Checkout, lines: str) -> None:
    (checkout.path / "bin/packages.txt").write_text(lines)


def test_nothing_missing_is_said() -> None:
    if not (ROOT / ".venv/filterbed.stamp").exists():
        pytest.skip("this checkout was not made ready by bin/bootstrap")
    done = subprocess.run(
        [ROOT / "bin/bootstrap", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "nothing is missing\n")


def test_unknown_option_is_usage(checkout: Checkout) -> None:
    done = checkout.run("--wish")
    assert done.returncode == 2
    assert "--wish" in done.stderr


def test_help_is_the_head_of_the_file(checkout: Checkout) -> None:
    done = checkout.run("--help")
    assert done.returncode == 0
    assert "--check" in done.stdout
    assert "--packages" in done.stdout


@pytest.mark.parametrize(
    ("line", "missing"),
    [
        ("fb-thing no-such-program-of-ours", True),
        ("fb-thing sh", False),
        ("fb-thing /no/such/file", True),
        ("fb-thing /usr/bin/env", False),
        ("fb-thing|fb-other /no/such/{python}/file", True),
        ("# fb-thing no-such-program-of-ours", False),
        ("fb-thing sh   # why", False),
    ],
)
def test_check_names_what_is_missing_and_changes_nothing(
    checkout: Checkout, line: str, missing: bool
) -> None:
    need(checkout, line + "\n")
    done = checkout.run("--check")
    assert done.returncode == 3  # .venv is missing in any case
    assert ("fb-thing" in done.stdout) == missing
    assert "requirements.lock" in done.stdout
    assert not (checkout.path / ".venv").exists()


def as_somebody(command: list[str]) -> list[str]:
    """Run as an ordinary user, whoever runs the tests."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", *command]


def open_to_all(checkout: Checkout, owner: int | None) -> None:
    temporary = Path(tempfile.gettempdir())
    for folder in [checkout.path, *checkout.path.parents]:
        if temporary in folder.parents:
            folder.chmod(0o755)
    if owner is not None and os.geteuid() == 0:
        for found in [checkout.path, *checkout.path.rglob("*")]:
            os.chown(found, owner, owner)


def test_ordinary_user_gets_the_command_for_root(checkout: Checkout) -> None:
    need(checkout, "fb-thing no-such-program-of-ours\n")
    open_to_all(checkout, 65534)
    done = subprocess.run(
        as_somebody([str(checkout.path / "bin/bootstrap")]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert f"sudo '{checkout.path}/bin/bootstrap' --packages" in done.stderr
    assert not (checkout.path / ".venv").exists()


def test_checkout_that_may_not_be_written(checkout: Checkout) -> None:
    open_to_all(checkout, None)
    checkout.path.chmod(0o555)
    done = subprocess.run(
        as_somebody([str(checkout.path / "bin/bootstrap")]),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    checkout.path.chmod(0o755)
    assert done.returncode == 3
    assert "not writable" in done.stderr


# Installing, with an apt-get of ours ------------------------------------------------------------

APT = """#!/bin/sh
case "$*" in *update*) exit 0;; esac
echo "$*" >>"$LOG"
/usr/sbin/policy-rc.d unbound start; echo "policy $?" >>"$LOG"
ln -s /nowhere /etc/systemd/system/multi-user.target.wants/fb-new.service
case $BEHAVIOUR in
    works) : >"$WITNESS" ;;
    fails) exit 100 ;;
    killed) kill -TERM "$PPID"; exit 1 ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine on which apt-get, /usr/sbin and the units are of our own making."""

    checkout: Checkout
    sbin: Path
    units: Path
    tools: Path

    def bootstrap(self, behaviour: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{self.tools}:/usr/bin:/bin",
            "LOG": str(self.tools / "log"),
            "WITNESS": str(self.tools / "witness"),
            "BEHAVIOUR": behaviour,
        }
        script = (
            'mount --bind "$1" /usr/sbin && mount -t tmpfs none /etc/systemd && '
            'mkdir /etc/systemd/system && mount --bind "$2" /etc/systemd/system && '
            'exec "$3" --packages'
        )
        program = self.checkout.path / "bin/bootstrap"
        return subprocess.run(
            [*SCRATCH, "sh", "-c", script, "sh", self.sbin, self.units, program],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def log(self) -> str:
        return (self.tools / "log").read_text()


@pytest.fixture
def machine(checkout: Checkout, tmp_path: Path) -> Machine:
    sbin, units, tools = tmp_path / "sbin", tmp_path / "units", tmp_path / "tools"
    wants = units / "multi-user.target.wants"
    for folder in (sbin, wants, tools):
        folder.mkdir(parents=True)
    (wants / "fb-old.service").symlink_to("/nowhere")
    (tools / "apt-get").write_text(APT)
    (tools / "apt-cache").write_text("#!/bin/sh\necho Candidate: 1\n")
    (tools / "systemctl").write_text('#!/bin/sh\necho "systemctl $*" >>"$LOG"\n')
    for tool in tools.iterdir():
        tool.chmod(0o755)
    need(checkout, f"fb-thing {tools}/witness\n")
    return Machine(checkout, sbin, units, tools)


@pytest.mark.live
@pytest.mark.parametrize(("behaviour", "status"), [("works", 0), ("fails", 3), ("killed", 3)])
def test_no_service_starts_and_no_policy_stays(
    machine: Machine, behaviour: str, status: int
) -> None:
    done = machine.bootstrap(behaviour)
    assert done.returncode == status, done.stdout + done.stderr
    assert "--no-install-recommends" in machine.log
    assert "fb-thing" in machine.log
    assert "policy 101" in machine.log
    assert list(machine.sbin.iterdir()) == []
    assert "systemctl disable fb-new.service" in machine.log
    assert [link.name for link in machine.units.rglob("*.service")] == ["fb-old.service"]
    assert "fb-old" not in machine.log


@pytest.mark.live
@pytest.mark.parametrize("behaviour", ["works", "fails", "killed"])
def test_an_administrators_policy_is_put_back(machine: Machine, behaviour: str) -> None:
    own = machine.sbin / POLICY
    own.write_text("#!/bin/sh\nexit 0\n")
    own.chmod(0o755)
    machine.bootstrap(behaviour)
    assert "policy 101" in machine.log
    assert own.read_text() == "#!/bin/sh\nexit 0\n"
    assert os.access(own, os.X_OK)
    assert [p.name for p in machine.sbin.iterdir()] == [POLICY]


@pytest.mark.live
def test_what_a_killed_run_left_is_put_right(machine: Machine) -> None:
    left = machine.sbin / POLICY
    left.write_text(
        "#!/bin/sh\n# made by filterbed bin/bootstrap; removed when it ends\nexit 101\n"
    )
    left.chmod(0o755)
    saved = machine.sbin / f"{POLICY}.before-filterbed"
    saved.write_text("#!/bin/sh\nexit 104\n")
    machine.bootstrap("works")
    assert (machine.sbin / POLICY).read_text() == "#!/bin/sh\nexit 104\n"
    assert not saved.exists()


@pytest.mark.live
def test_package_still_missing_after_installation(machine: Machine) -> None:
    need(machine.checkout, "fb-thing /no/such/file\n")
    done = machine.bootstrap("works")
    assert done.returncode == 3
    assert "still missing after installation: fb-thing" in done.stderr
