"""The cold start as a section of the report: what newcomers get, and how new items fare."""

from html import escape
from typing import Final

from training.charts import bars, table
from training.cold_items import KNOWN_TO, ColdItems
from training.cold_start import FIRST_ITEMS, SEGMENTS, SHARE, ColdStart
from training.measuring import TOP

_TOTALS: Final = ("any", "any but content")


def cold_section(newcomers: ColdStart, items: ColdItems) -> str:
    """Lay out both halves as HTML; strings of the data are only ever text in it."""
    return f"<h3>Newcomers</h3>{_newcomers(newcomers)}<h3>New items</h3>{_items(items)}"


def _newcomers(found: ColdStart) -> str:
    if not found.methods:
        return _note(found.note)
    rows = []
    for name, scores in found.methods.items():
        gap = found.differences.get(name)
        more = f"{gap.mean:+.4f} ({gap.low:+.4f} to {gap.high:+.4f})" if gap else ""
        rows.append([name, f"{scores.ndcg:.4f}", f"{scores.hit_rate:.1%}", more])
    words = (
        f"{found.users:,} of the last {SHARE:.0%} of users to come, on lists of what others did before: NDCG "
        f"and hit rate of the first {TOP} places for a newcomer's first {FIRST_ITEMS} items, and how much "
        f"more NDCG the lists {SEGMENTS} have, with a 95% interval by bootstrap of the differences user by "
        f"user; one that holds 0 proves nothing. Facts are country, device and referrer; {found.told:.0%} of "
        "the newcomers have a list for theirs. "
    )
    head = ["list", f"NDCG@{TOP}", "hit rate", "the last has more"]
    return _note(words + found.note) + table(head, rows)


def _items(found: ColdItems) -> str:
    words = (
        f"{found.items:,} items that at most {KNOWN_TO} user came to before. They are {found.exposure:.2%} "
        "of all candidates; without those that content alone offers, "
        f"{found.exposure_without_content:.2%} of the rest. "
    )
    if not found.users:
        return _note(f"{words}Nobody's held-out item is new.")
    words += f"Of {found.users:,} users whose held-out item is new, this share is offered it, by source:"
    recall = _ordered(found.recall_by_source)
    return _note(words) + bars(recall, "{:.1%}", label="recall of new items by source")


def _ordered(recall: dict[str, float]) -> dict[str, float]:
    """Sources first, the best first, then the totals."""
    sources = sorted(set(recall) - {*_TOTALS}, key=lambda name: (-recall[name], name))
    return {name: recall[name] for name in (*sources, *_TOTALS)}


def _note(text: str) -> str:
    return f"<p class=soft>{escape(text)}</p>"
