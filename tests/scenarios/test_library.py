"""The library loads, says where it comes from, and holds innocent controls."""

from __future__ import annotations

from pathlib import Path

import pytest
from setuptools import find_namespace_packages  # type: ignore[import-untyped]

from scenarios import inherit, library, loader, yaml12
from scenarios.error import ScenarioError
from scenarios.model import Label
from scenarios.timeline import phases

NAMES = library.names()


def test_the_ten_are_there() -> None:
    assert set(NAMES) >= {
        *("dns/pool-2010", "dns/nxdomain", "http/rst-host", "http/blockpage", "ip/drop"),
        *("tls/rst-sni-residual", "voip/two-carriers", "quiet/third-broken"),
        *("china-2010/december", "china-2010/announced"),
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_is_whole(name: str) -> None:
    scenario = loader.load(name)
    assert scenario.name == name
    assert len(scenario.story) > 200
    assert scenario.sources
    assert set(scenario.truths) == {
        (v, t.name) for v in scenario.vantages for t in scenario.targets
    }


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_has_innocent_controls_from_every_vantage(name: str) -> None:
    scenario = loader.load(name)
    for vantage in scenario.vantages:
        clean = [t for (v, t), truth in scenario.truths.items() if v == vantage]
        clean = [t for t in clean if scenario.truths[vantage, t].label == Label("ok")]
        assert len(clean) >= 3


@pytest.mark.parametrize("name", [n for n in NAMES if n != "quiet/third-broken"])
def test_every_blocked_target_is_claimed_by_a_rule_and_the_other_way_round(name: str) -> None:
    raw, _ = inherit.read(library.locate(name))
    scenario = loader.load(name)
    left = {rule["id"] for censor in scenario.censors for rule in censor.policy["rules"]}
    claimed = {
        target
        for censor in raw["censors"].values()
        for rule in censor["rules"]
        if rule["id"] in left and "allow" not in rule["then"]
        for target in [rule["targets"]] * isinstance(rule["targets"], str) or rule["targets"]
    }
    blocked = {
        target
        for phase in phases(scenario)
        for (_, target), truth in phase.truths.items()
        if truth.label.locus == "network"
    }
    assert blocked == claimed


def test_a_third_of_the_quiet_country_is_broken() -> None:
    scenario = loader.load("quiet/third-broken")
    verdicts = [truth.label.verdict for truth in scenario.truths.values()]
    assert (verdicts.count("down"), verdicts.count("ok"), len(verdicts)) == (6, 12, 18)
    assert scenario.censors[0].policy["rules"] == []


def test_the_pool_is_the_documented_one_without_its_class_e_address() -> None:
    pools = [yaml12.load_file(library.locate(n))[0]["pools"]["pool-2010"] for n in
             ("dns/pool-2010", "china-2010/december")]  # fmt: skip
    assert pools[0] == pools[1]
    assert len(set(pools[0])) == 32
    assert not [address for address in pools[0] if address.startswith("243.")]


def test_december_is_as_announced() -> None:
    truths = loader.load("china-2010/december").truths
    for vantage in ("bj-cu", "gz-ct"):
        assert truths[vantage, "iptel-call"].label.locus == "network"
        assert truths[vantage, "unicom-call"].label == Label("ok")
        assert truths[vantage, "iptel-web"].label == Label("ok")
    assert truths["sh-ct", "iptel-call"].label == Label("ok")
    assert truths["sh-ct", "facebook"].label.locus == "network"
    skype = Label("blocked", frozenset({"http.redirect.geo"}), "server_side")
    assert truths["sh-ct", "skype"].label == truths["sh-ct", "skype"].baseline == skype
    assert all(truth.label == Label("ok") for (v, _), truth in truths.items() if v == "us")


def test_announced_is_the_same_ground_with_calls_that_work() -> None:
    december, announced = loader.load("china-2010/december"), loader.load("china-2010/announced")
    assert (announced.plan, announced.targets) == (december.plan, december.targets)
    changed = {
        target
        for (vantage, target), truth in announced.truths.items()
        if truth != december.truths[vantage, target]
    }
    assert changed == {f"{who}-{what}" for who in ("iptel", "ekiga", "sipgate")
                       for what in ("register", "call")}  # fmt: skip


def untouched(name: str) -> bool:
    """Whether nobody interferes, neither a box nor a client's own software."""
    scenario = loader.load(name)
    loci = {truth.label.locus for truth in scenario.truths.values()}
    rules = [rule for censor in scenario.censors for rule in censor.policy["rules"]]
    return not rules and not loci & {"network", "client_side"}


def test_packs() -> None:
    def names(pack: str) -> set[str]:
        return {
            file.relative_to(library.FOLDER).with_suffix("").as_posix()
            for file in library.find(pack)
        }

    assert names("@all") == set(NAMES)
    assert names("@negatives") == {name for name in NAMES if untouched(name)}
    assert {"quiet/third-broken", "voip/congestion"} <= names("@negatives")
    assert "voip/two-carriers" in names("@voip")
    assert {"dns/pool-2010", "quiet/third-broken"} <= names("@smoke") < names("@all")
    assert names("ip/drop") == {"ip/drop"}


def test_unknown_names_suggest_known_ones() -> None:
    with pytest.raises(library.UnknownScenario, match="did you mean '@smoke'"):
        library.find("@smok")
    with pytest.raises(ScenarioError, match="did you mean 'ip/drop'"):
        library.find("ip/dro")


def test_a_path_is_a_path(tmp_path: Path) -> None:
    assert library.locate("some/where.yaml") == Path("some/where.yaml")
    file = tmp_path / "plain"
    file.touch()
    assert library.locate(file) == file


def test_every_folder_of_the_library_is_packaged() -> None:
    root = library.FOLDER.parents[1]
    packages = find_namespace_packages(str(root), include=["scenarios*"])
    folders = {file.parent.relative_to(root).as_posix() for file in library.find("@all")}
    assert {folder.replace("/", ".") for folder in folders} <= set(packages)
