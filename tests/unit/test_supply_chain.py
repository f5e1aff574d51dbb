"""What is shipped is locked, licensed, listed, and asked about; without a network that is said."""

import json
import tomllib
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from supply_chain import licences, npm
from supply_chain.sbom import write
from supply_chain.shipped import LOCAL_AWS, PARTS, ROOT, packages
from supply_chain.vulnerabilities import Accepted, audit

TODAY = date(2026, 11, 25)
NOBODY = "http://127.0.0.1:1/"


def locked(project: str = ".") -> list[dict[str, Any]]:
    return tomllib.loads((ROOT / project / "uv.lock").read_text())["package"]


@pytest.mark.parametrize("project", [".", LOCAL_AWS])
def test_every_package_of_a_lock_has_hashes(project: str) -> None:
    for package in locked(project):
        files = [*package.get("wheels", []), *filter(None, [package.get("sdist")])]
        assert files or package["source"].keys() & {"editable", "virtual"}, package["name"]
        assert all(file["hash"].startswith("sha256:") for file in files)


def test_the_npm_lock_has_hashes_too() -> None:
    packages_of_npm = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all(package["integrity"] for path, package in packages_of_npm.items() if path)


def test_every_licence_is_allowed_or_has_a_reason_and_no_reason_is_idle() -> None:
    shipped = {name for part in PARTS for name in packages(part)}
    assert list(licences.objections(sorted(shipped))) == []
    for name, stated in licences.REASONED:
        assert name in shipped
        assert licences.licence_of(name) == stated
    assert licences.UNSTATED.keys() <= shipped


@pytest.mark.parametrize("stated", ["GPL-3.0-only", "MIT AND AGPL-3.0-only", "unheard of", None])
def test_copyleft_and_what_is_not_known_are_refused(stated: str | None, monkeypatch) -> None:
    monkeypatch.setattr(licences, "licence_of", lambda name: stated)
    (objection,) = licences.objections(["somebody"])
    assert "somebody" in objection


def test_the_bills_name_all_that_is_locked_and_are_the_same_bytes_twice(tmp_path: Path) -> None:
    first = {file.name: file.read_text() for file in write(tmp_path / "first")}
    assert {file.name: file.read_text() for file in write(tmp_path / "second")} == first
    for name, project in (("everything", "."), ("local-aws", LOCAL_AWS)):
        bill = json.loads(first[f"{name}.cdx.json"])
        named = {(each["name"], each.get("version")) for each in bill["components"]}
        wanted = {(each["name"], each["version"]) for each in locked(project) if "registry" in each["source"]}
        assert wanted <= named
    for part in PARTS:
        named = {each["name"] for each in json.loads(first[f"{part}.cdx.json"])["components"]}
        assert packages(part).keys() <= named


@pytest.fixture
def osv(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """OSV's API on this machine, which knows of one vulnerability: of urllib3."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    known = {"id": "GHSA-0", "aliases": ["CVE-0"], "summary": "bad", "modified": "2026-01-01T00:00:00Z"}
    package = {"package": {"ecosystem": "PyPI", "name": "urllib3"}}
    ranges = [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
            hits = ({"vulns": [known]} if each["package"]["name"] == "urllib3" else {} for each in asked)
            self.answer({"results": list(hits)})

        def do_GET(self) -> None:
            self.answer({**known, "affected": [{**package, "ranges": ranges}]})

        def answer(self, body: Any) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def test_a_known_vulnerability_is_told_until_it_is_accepted_and_again_after(osv: str, tmp_path: Path) -> None:
    (line,) = audit(".", today=TODAY, service_url=osv, cache=tmp_path).found
    assert line.startswith("urllib3")
    assert line.endswith("GHSA-0 bad, fixed in 99")
    accepted = [Accepted("CVE-0", "no path leads there", until=TODAY)]
    later = TODAY.replace(day=26)
    assert not audit(".", today=TODAY, accepted=accepted, service_url=osv, cache=tmp_path).found
    assert audit(".", today=later, accepted=accepted, service_url=osv, cache=tmp_path).found == [line]


def test_without_a_network_the_last_answer_about_the_same_lock_holds(osv: str, tmp_path: Path) -> None:
    assert audit(".", today=TODAY, service_url=NOBODY, cache=tmp_path).asked_on is None
    audit(".", today=TODAY, service_url=osv, cache=tmp_path)
    offline = audit(".", today=TODAY.replace(month=12), service_url=NOBODY, cache=tmp_path)
    assert (offline.asked_on, len(offline.found)) == (TODAY, 1)


def test_every_licence_of_npm_is_allowed_or_has_a_reason() -> None:
    packages_of_npm = npm.locked()
    assert list(npm.objections(packages_of_npm)) == []
    for name, stated in npm.REASONED:
        assert packages_of_npm[name]["license"] == stated
    refused = npm.objections({"somebody": {"license": "GPL-3.0-only"}, "nobody": {}})
    assert [objection.partition(":")[0] for objection in refused] == ["somebody", "nobody"]


def test_the_bill_of_npm_names_all_that_is_locked_wherever_it_is_made(tmp_path: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    text = npm.bill()
    assert npm.bill(tmp_path) == text
    named = {(each["name"], each["version"]) for each in json.loads(text)["components"]}
    assert named == {(name, package["version"]) for name, package in npm.locked().items()}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """npm's registry on this machine, which knows of one vulnerability: of axe-core."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    advisory = {"id": 1, "title": "bad", "severity": "high", "vulnerable_versions": "<99", "url": "a/GHSA-1"}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"axe-core": [advisory]}).encode())

        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def test_what_npm_knows_is_told_and_its_last_answer_holds_without_a_network(
    registry: str, tmp_path: Path
) -> None:
    assert npm.audit(today=TODAY, registry=NOBODY, cache=tmp_path).asked_on is None
    (line,) = npm.audit(today=TODAY, registry=registry, cache=tmp_path).found
    assert line.startswith("axe-core")
    assert line.endswith("high, bad (a/GHSA-1)")
    lived_with = [Accepted("GHSA-1", "run on pages of our own", until=TODAY)]
    assert not npm.audit(today=TODAY, accepted=lived_with, registry=NOBODY, cache=tmp_path).found
    offline = npm.audit(today=TODAY.replace(month=12), registry=NOBODY, cache=tmp_path)
    assert (offline.asked_on, offline.found) == (TODAY, [line])
