"""The jobs over SageMaker's folders, the offline pipeline, and publishing: the same lists every way."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from factories import NOW, listed
from personalization import keys
from personalization.adapters.memory import MemoryArchive, MemoryTable
from personalization.archiving import LakeLine, pack
from personalization.errors import InvalidInput, ModelError
from personalization.events import accept, decode_client_event, decode_item, encode_event, upsert_item
from personalization.model_tables import read_recipe
from personalization.names import Ranker
from personalization.profiles import MAX_OWNED, Profile
from personalization.ranking import Model
from personalization.registry import METADATA_FILE
from personalization.shared import MAX_CACHED_SEGMENTS, unpack
from training import pipeline
from training.jobs import evaluate, gate, prepare, rank, share, train
from training.lists import StoredList
from training.publishing import Publisher
from training.settings import HyperparameterError, Settings
from training.shop import Shop
from training.sources import lines_of
from training.synthetic import simulate, write_lines

END = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small shop's log and catalogue, as a client would export them."""
    folder = tmp_path_factory.mktemp("export")
    shop = Shop.open(seed=4, users=250, items=120)
    write_lines(folder / "events.jsonl.gz", simulate(shop, days=20, seed=4, end=END))
    write_lines(folder / "items.jsonl.gz", [msgspec.json.encode(item) for item in shop.catalogue()])
    return folder


def run_pipeline(export: Path, output: Path, *options: str) -> list[dict]:
    files = ["--events", export / "events.jsonl.gz", "--items", export / "items.jsonl.gz"]
    line = [*files, "--output", output, "--threads", 1]
    assert pipeline.main([*map(str, line), *options]) == 0
    return [json.loads(row) for row in (output / "recommendations.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def offline(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("offline")
    run_pipeline(export, folder)
    return folder


@pytest.fixture(scope="module")
def root(export: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The jobs' root after prepare in two shards, train, evaluate, rank and share."""
    root = tmp_path_factory.mktemp("ml")
    write_lake(export, root / "processing" / "input" / "events")
    now = ["--root", str(root), "--now", END.isoformat(), "--threads", "1"]
    assert prepare.main([*now, "--shard-count", "2"]) == 0
    link(root, "processing/output/dataset", "input/data/dataset", "processing/input/dataset")
    link(root, "processing/output/users", "processing/input/users")
    assert train.main([*now, "--version", "v1"]) == 0
    link(root, "model", "processing/input/model")
    link(root, "processing/output/report", "processing/input/report")
    assert evaluate.main(now) == 0
    assert rank.main(now) == 0
    assert share.main(now) == 0
    return root


def write_lake(export: Path, folder: Path) -> None:
    """The export as the lake holds it, each record twice, as overlapping retries leave it."""
    lines = []
    for number, line in enumerate(lines_of(export / "items.jsonl.gz")):
        item = upsert_item(decode_item(line), event_id=f"i{number}", received_at=NOW)
        lines.append(LakeLine(f"item-{number}", END, msgspec.Raw(encode_event(item))))
    for number, line in enumerate(lines_of(export / "events.jsonl.gz")):
        try:
            sent = decode_client_event(line)
            event = accept(
                sent, user_key=sent.user_id, received_at=sent.occurred_at, is_bot=lambda agent: "bot" in agent
            )
        except InvalidInput:
            continue
        lines.append(LakeLine(f"event-{number}", END, msgspec.Raw(encode_event(event))))
    folder.mkdir(parents=True)
    for name in ("a", "b"):
        (folder / f"{name}.jsonl.gz").write_bytes(pack(lines))


def link(root: Path, source: str, *targets: str) -> None:
    for target in targets:
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        (root / target).symlink_to(root / source)


def test_every_user_of_the_log_gets_twenty_different_items(offline: Path) -> None:
    rows = [json.loads(row) for row in (offline / "recommendations.jsonl").read_text().splitlines()]
    assert len({row["user_id"] for row in rows}) == len(rows) >= 240
    assert all(len({item["item_id"] for item in row["items"]}) == 20 for row in rows)


def test_nothing_bought_or_rated_is_recommended(offline: Path, export: Path) -> None:
    had = set()
    for line in lines_of(export / "events.jsonl.gz"):
        row = msgspec.json.decode(line, strict=False) if line.rstrip().endswith(b"}") else {}
        if row.get("event_type") in ("purchase", "rating"):
            had.add((row["user_id"], row.get("item_id")))
    rows = [json.loads(row) for row in (offline / "recommendations.jsonl").read_text().splitlines()]
    assert len(had) > 100
    assert not any((row["user_id"], item["item_id"]) in had for row in rows for item in row["items"])


def test_nothing_owned_is_recommended_to_who_owns_more_than_a_profile_remembers(
    export: Path, tmp_path: Path
) -> None:
    rows = [
        {
            "event_id": f"r{user}-{number}",
            "event_type": "rating",
            "value": 2.0 if number % 2 else 5.0,
            "user_id": f"collector-{user}",
            "item_id": f"stamp-{number:04}",
            "occurred_at": (END + timedelta(seconds=number)).isoformat(),
        }
        for user in range(12)
        for number in range(user, 2 * MAX_OWNED + 20 * user)
    ]
    events = tmp_path / "events.jsonl"
    events.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = run_pipeline(export, tmp_path / "out", "--events", str(events))
    had = {(row["user_id"], row["item_id"]) for row in rows}
    assert len(lines) == 12
    assert not any((row["user_id"], item["item_id"]) in had for row in lines for item in row["items"])


def test_bad_lines_are_counted_once_and_shown(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = 0
    for line in lines_of(export / "events.jsonl.gz"):
        try:
            accept(decode_client_event(line), user_key="u", received_at=END)
        except InvalidInput:
            bad += 1
    run_pipeline(export, tmp_path)
    shown = capsys.readouterr().err
    counts = next(line for line in shown.splitlines() if line.startswith("left out"))
    assert sum(int(word) for word in counts.replace(",", "").split() if word.isdigit()) == bad > 0
    assert "events.jsonl.gz:" in shown


def test_the_same_input_gives_the_same_bytes(export: Path, offline: Path, tmp_path: Path) -> None:
    run_pipeline(export, tmp_path)
    for name in ("recommendations.jsonl", "report.json", "report.html", "model/ranker.txt"):
        assert (tmp_path / name).read_bytes() == (offline / name).read_bytes()


def test_the_model_beats_popularity_on_a_shop_with_tastes(offline: Path) -> None:
    methods = json.loads((offline / "report.json").read_bytes())["evaluation"]["methods"]
    assert methods["model"]["ndcg"]["10"] > 1.2 * methods["popularity"]["ndcg"]["10"]


def test_a_report_tells_of_segments_newcomers_and_new_items(offline: Path) -> None:
    audience = json.loads((offline / "report.json").read_bytes())["audience"]
    assert (
        sum(one["users"] for one in audience["segments"]["segments"]) == audience["segments"]["users"] > 200
    )
    assert audience["newcomers"]["told"] > 0.5


def test_the_jobs_make_the_model_that_the_pipeline_makes(root: Path, offline: Path) -> None:
    ranker = "ranker.txt"
    assert (root / "model" / ranker).read_bytes() == (offline / "model" / ranker).read_bytes()
    reports = [
        json.loads(path.read_bytes())
        for path in (root / "processing/output/report/report.json", offline / "report.json")
    ]
    for part in ("evaluation", "audience"):
        assert reports[0][part] == reports[1][part]


def test_the_job_takes_hyperparameters_and_the_evaluation_follows_the_models_recipe(
    root: Path, tmp_path: Path
) -> None:
    now = ["--root", str(tmp_path), "--now", END.isoformat(), "--threads", "1"]
    for channel in ("input/data/dataset", "processing/input/dataset"):
        (tmp_path / channel).parent.mkdir(parents=True)
        (tmp_path / channel).symlink_to(root / "processing/output/dataset")
    chosen = tmp_path / "input" / "config" / "hyperparameters.json"
    chosen.parent.mkdir()
    chosen.write_text(json.dumps({"offered.content": "0", "num_leaves": "5", "trees": "3", "seed": "4"}))
    assert train.main([*now, "--version", "v2"]) == 0
    metadata = json.loads((tmp_path / "model" / METADATA_FILE).read_bytes())
    assert (metadata["parameters"]["num_leaves"], metadata["parameters"]["seed"]) == (5, 4)
    assert json.loads((tmp_path / "model/tables/recipe.json").read_bytes())["offered"]["content"] == 0
    link(tmp_path, "model", "processing/input/model")
    assert evaluate.main(now) == 0
    recall = json.loads((tmp_path / "processing/output/report/report.json").read_bytes())["evaluation"]
    assert recall["recall_by_source"]["content"] == 0 < recall["recall_by_source"]["any"]
    chosen.write_text(json.dumps({"leafs": "5"}))
    with pytest.raises(HyperparameterError, match="leafs"):
        train.main([*now, "--version", "v3"])


def test_a_tuned_model_is_made_with_what_was_chosen_and_the_same_command_goes_on(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_pipeline(export, tmp_path, "--tune", "1")
    run_pipeline(export, tmp_path, "--tune", "2")
    assert "trials done so far: 1" in capsys.readouterr().err
    report = json.loads((tmp_path / "report.json").read_bytes())["tuning"]
    settings = Settings.of(json.loads((tmp_path / "hyperparameters.json").read_bytes()))
    assert len(report["trials"]) == 2
    assert Settings.of(report["hyperparameters"]) == settings
    parameters = json.loads((tmp_path / "model" / METADATA_FILE).read_bytes())["parameters"]
    assert parameters["learning_rate"] == settings.ranker.learning_rate
    assert read_recipe(tmp_path / "model" / "tables") == settings.recipe
    assert "Tuning" in (tmp_path / "report.html").read_text()


def test_the_gate_lets_a_good_model_pass_and_holds_it_against_the_one_in_service(root: Path) -> None:
    now = ["--root", str(root), "--now", END.isoformat(), "--threads", "1"]
    verdict = root / "processing" / "output" / "verdict" / "verdict.json"
    assert gate.main(now) == 0
    assert json.loads(verdict.read_bytes())["publish"]
    link(root, "model", "processing/input/champion")
    assert evaluate.main(now) == 0
    assert gate.main(now) == 0
    checks = {check["name"]: check for check in json.loads(verdict.read_bytes())["checks"]}
    assert checks["not worse than the model in service"]["passed"]
    (root / "processing/input/champion").unlink()
    assert evaluate.main(now) == 0


def test_a_nights_report_tells_of_its_data(root: Path) -> None:
    report = json.loads((root / "processing/output/report/report.json").read_bytes())
    checks = {check["name"] for check in report["data"]["checks"]}
    assert checks >= {"freshness", "schema", "volume", "duplicates", "popularity", "category mix", "hour mix"}
    assert report["calibration"] == []
    page = (root / "processing/output/report/report.html").read_text()
    assert "The night&#x27;s data" in page or "The night's data" in page
    assert "Expected and observed clicks" in page


def test_the_gate_refuses_old_data(root: Path) -> None:
    late = (END + timedelta(days=30)).isoformat()
    assert gate.main(["--root", str(root), "--now", late]) == 0
    verdict = json.loads((root / "processing" / "output" / "verdict" / "verdict.json").read_bytes())
    assert not verdict["publish"]
    assert "the newest event is of" in verdict["reasons"][0]


def test_ranking_refuses_users_of_another_dataset(root: Path, tmp_path: Path) -> None:
    path = tmp_path / "processing" / "input" / "users" / "00000.msgpack"
    path.parent.mkdir(parents=True)
    users, profiles, items, *owned = msgspec.msgpack.decode(
        (root / "processing" / "output" / "users" / "00000.msgpack").read_bytes()
    )
    path.write_bytes(msgspec.msgpack.encode([users, profiles, items + 1, *owned]))
    link(root, "model", str(tmp_path / "processing" / "input" / "model"))
    with pytest.raises(ModelError, match="another dataset"):
        rank.main(["--root", str(tmp_path), "--now", END.isoformat()])


def test_a_new_user_gets_popular_items_from_either_ranker(root: Path) -> None:
    model = Model.load(root / "model")
    for ranker in Ranker:
        (items,) = model.recommend([Profile()], ranker=ranker, now=END, limit=5)
        assert len(items) == 5
        assert {item.reason for item in items} <= {"popular", "trending"}


def test_a_model_of_other_features_is_refused(root: Path, tmp_path: Path) -> None:
    metadata = json.loads((root / "model" / METADATA_FILE).read_bytes())
    metadata["features"] = ["something else"]
    (tmp_path / METADATA_FILE).write_text(json.dumps(metadata))
    with pytest.raises(ModelError, match="other features"):
        Model.load(tmp_path)


def stored(version: str, *items: str, revision: int = 0) -> StoredList:
    key = keys.list_key("ann", surface="home", version=version)
    return StoredList(key.pk, key.sk, listed(*items, version=version, revision=revision))


def test_publishing_writes_files_and_lists_before_the_switch(tmp_path: Path) -> None:
    class Watchful(MemoryTable):
        def activate(self, model) -> None:
            assert keys.model_prefix(model.version) + keys.MANIFEST in models.objects
            assert any(key.sk.endswith(model.version) for key in self.lists)
            super().activate(model)

    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "a.npy").write_bytes(b"1")
    models, table = MemoryArchive(), Watchful()
    publisher = Publisher(models, table, table, NOW)
    assert publisher.publish(tmp_path, "v1", [stored("v1", "a")]) == 1
    publisher.publish(tmp_path, "v2", [stored("v2", "b")])
    publisher.publish(tmp_path, "v2", [stored("v2", "b")])
    assert table.active is not None
    assert (table.active.version, table.active.previous) == ("v2", "v1")
    assert json.loads(models.objects["models/v2/manifest.json"]) == ["tables/a.npy"]


def test_what_all_users_share_is_put_where_an_outage_of_the_table_does_not_reach(tmp_path: Path) -> None:
    models = MemoryArchive()
    names = ["popular", "trending", "everybody", *(f"country=C{n:02},device=mobile" for n in range(80))]
    lists = []
    for name in names:
        key = keys.segment_key(name, version="v1")
        lists.append(StoredList(key.pk, key.sk, listed(name)))
    Publisher(models, MemoryTable(), MemoryTable(), NOW).publish(
        tmp_path, "v1", [stored("v1", "own"), *lists]
    )
    copy = unpack(models.objects[keys.SHARED_COPY])
    assert {"popular", "trending", "everybody"} <= copy.keys() <= set(names)
    assert len(copy) == MAX_CACHED_SEGMENTS
    assert copy["trending"].items[0].item_id == "trending"


def test_a_published_version_never_changes(tmp_path: Path) -> None:
    (tmp_path / METADATA_FILE).write_bytes(b"one")
    models, table = MemoryArchive(), MemoryTable()
    Publisher(models, table, table, NOW).publish(tmp_path, "v1", [], quality=b"good")
    Publisher(models, table, table, NOW).publish(tmp_path, "v1", [], quality=b"good")
    (tmp_path / METADATA_FILE).write_bytes(b"two")
    with pytest.raises(ModelError, match=r"models/v1/metadata\.json is published already"):
        Publisher(models, table, table, NOW).publish(tmp_path, "v1", [])
    assert models.objects["models/v1/metadata.json"] == b"one"


def test_publishing_never_replaces_a_fresher_list(tmp_path: Path) -> None:
    table = MemoryTable()
    fresh = stored("v1", "fresh", revision=5)
    table.write_list(fresh.key, fresh.recommendations, expires_at=0)
    assert Publisher(MemoryArchive(), table, table, NOW).publish(tmp_path, "v1", [stored("v1", "old")]) == 0
    assert table.read([fresh.key]).lists[fresh.key].items[0].item_id == "fresh"


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "no valid event"), ("nonsense\n", "no valid event"), (None, "no file")],
)
def test_a_hopeless_log_gets_a_clear_error(
    content: str | None, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = tmp_path / "events.jsonl"
    if content is not None:
        events.write_text(content)
    assert pipeline.main(["--events", str(events), "--output", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err


def test_a_log_too_small_to_learn_from_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    events = tmp_path / "events.jsonl"
    row = {"event_id": "1", "event_type": "click", "user_id": "a", "item_id": "x"}
    events.write_text(json.dumps(row | {"occurred_at": "2026-01-01T00:00:00Z"}))
    assert pipeline.main(["--events", str(events), "--output", str(tmp_path / "out")]) == 1
    assert "needs more events" in capsys.readouterr().err
