"""The checks of a night's data as a section of the report, and as a page for a night that stops."""

from html import escape

from training.charts import POLICY, STYLE, table
from training.data_checks import Soundness


def data_section(soundness: Soundness) -> str:
    """Lay out the checks as HTML; strings of the data are only ever text in it."""
    rows = [
        [check.name, _state(check.name, check.passed, soundness), check.detail] for check in soundness.checks
    ]
    words = (
        f"{soundness.day or 'No day'}, the newest complete one, against the four weeks before. PSI, the "
        "population stability index, tells how far a distribution moved: below 0.1 it is stable, above 0.25 "
        "it drifted."
    )
    return f"<p class=soft>{escape(words)}</p>" + table(["check", "passed", "what was seen"], rows)


def _state(name: str, passed: bool, soundness: Soundness) -> str:
    if passed:
        return "yes"
    return "no, accepted" if name in soundness.accepted else "no"


def data_page(soundness: Soundness) -> str:
    """Lay out a page that needs nothing else."""
    verdict = "It is trained on." if soundness.train else "The night stops here; the model in service stays."
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8><title>Attune: the night's data</title>"
        f'<meta http-equiv=Content-Security-Policy content="{POLICY}">'
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><h1>The night's data</h1><p>{escape(verdict)}</p>"
        f"{data_section(soundness)}</body></html>\n"
    )
