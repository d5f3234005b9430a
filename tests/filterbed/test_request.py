"""What a run is asked for, and what is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterbed import request
from filterbed.request import Options, UsageError
from scenarios.loader import load

SCENARIO = load("dns/pool-2010")


def test_without_a_command_the_built_in_tool_runs() -> None:
    (probe,) = request.probes(Options(), [])
    assert (probe.name, probe.argv) == ("webcheck", ())


def test_a_command_is_called_by_its_base_name_or_as_told() -> None:
    (probe,) = request.probes(Options(), ["/bin/true", "-x"])
    assert (probe.name, probe.argv) == ("true", ("/bin/true", "-x"))
    assert request.probes(Options(name="mine"), ["/bin/true"])[0].name == "mine"
    both = request.probes(Options(probes=("webcheck",)), ["/bin/true"])
    assert [p.name for p in both] == ["webcheck", "true"]


REFUSED = {
    "no such probe": (Options(probes=("x",)), [], "built in: webcheck"),
    "one name twice": (Options(probes=("webcheck",), name="webcheck"), ["/bin/true"], "--name"),
    "a path for a name": (Options(name="a/b"), ["/bin/true"], "letters, digits"),
    "a name for nothing": (Options(name="a"), [], "no COMMAND"),
    "no such command": (Options(), ["/no/such"], "command not found"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_tools_that_cannot_be_scored_are_refused(name: str) -> None:
    options, command, text = REFUSED[name]
    with pytest.raises(UsageError, match=text):
        request.probes(options, command)


def test_subsets_keep_declared_order_and_must_be_there() -> None:
    options = Options(targets=("debian", "facebook"))
    assert request.subset(SCENARIO, options) == (("client",), ("facebook", "debian"))
    with pytest.raises(UsageError, match="no vantage 'x'; it has client"):
        request.subset(SCENARIO, Options(vantages=("x",)))


def test_errors_of_all_scenarios_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("scenario: x/y\n")
    with pytest.raises(UsageError) as caught:
        request.load_all(["dns/pool-2010", str(tmp_path / "a.yaml"), "@nope"])
    assert "a.yaml:" in str(caught.value)
    assert "@nope" in str(caught.value)


def test_results_that_cannot_be_written_are_found_first(tmp_path: Path) -> None:
    request.writable(tmp_path / "new" / "junit.xml")
    assert (tmp_path / "new").is_dir()
    with pytest.raises(UsageError, match="--junit"):
        request.writable(Path("/proc/junit.xml"))
