"""What the demo prints at its end."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table

from infrastructure.local.demo.books import Books
from infrastructure.local.demo.showcase import Change, percentiles

Json = dict[str, Any]


def books_table(books: Books, reasons: Mapping[str, int]) -> Table:
    """Every live event by what became of it."""
    table = Table(title="The books of the live events", show_header=False)
    table.add_row("sent", f"{books.sent:,}", "= accepted + rejected")
    table.add_row("accepted", f"{books.accepted:,}", "= applied + duplicate + filtered + quarantined")
    why = ", ".join(f"{count} {code}" for code, count in sorted(reasons.items()))
    table.add_row("rejected", f"{books.rejected:,}", why)
    for fate, count in books.fates.items():
        table.add_row(f"  {fate}", f"{count:,}")
    table.add_row("in the lake", f"{books.lake:,}", "= accepted")
    table.add_row("", "", "[green]balanced" if books.balanced else "[red]NOT BALANCED")
    return table


def quality_table(report: Json, references: Mapping[str, float]) -> Table:
    """Held-out NDCG@10 by method."""
    evaluation = report["evaluation"]
    table = Table("method", "NDCG@10", title=f"Held-out items of {evaluation['users']:,} users")
    quality = {method: scores["ndcg"]["10"] for method, scores in evaluation["methods"].items()}
    for method, value in sorted((quality | dict(references)).items(), key=lambda row: -row[1]):
        table.add_row(method, f"{value:.4f}")
    return table


def click_rate_table(rates: Iterable[tuple[str, str, str, int, int]]) -> Table:
    """CTR by variant, from CloudWatch."""
    table = Table("surface", "experiment", "variant", "impressions", "clicks", "CTR", title="CTR by variant")
    for surface, experiment, variant, impressions, clicks in rates:
        rate = f"{clicks / impressions:.2%}" if impressions else "-"
        table.add_row(surface, experiment, variant, f"{impressions:,}", f"{clicks:,}", rate)
    return table


def answer_table(title: str, answer: Json) -> Table:
    """The first items of one answer."""
    table = Table("item", "title", "score", "reason", title=title)
    for item in answer["items"][:5]:
        table.add_row(item["item_id"], item.get("title"), f"{item['score']:.3f}", item.get("reason"))
    return table


def change_table(changes: Sequence[Change], tried: int) -> Table:
    """How fast a click changes the list, and how."""
    median, late = percentiles(changes)
    table = Table(title="From a click to a changed list", show_header=False)
    table.add_row("users who clicked", f"{tried}")
    table.add_row("lists rebuilt", f"{len(changes)}")
    table.add_row("seconds, median", f"{median:.2f}")
    table.add_row("seconds, 95th percentile", f"{late:.2f}")
    if changes:
        first = changes[0]
        table.add_row(f"{first.user_id} clicked", first.clicked)
        table.add_row("first five before", " ".join(first.before[:5]))
        table.add_row("first five after", " ".join(first.after[:5]))
    return table
