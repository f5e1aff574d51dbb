"""What the widget says: results of experiments as HTML with inline SVG, in the dashboard's own theme."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from personalization.experiment_results import ExperimentResults
from personalization.results_page import STYLE, fragment

DESCRIPTION: Final = """\
## Results of experiments

What each experiment has shown so far, as `analyze_experiments` last left it: verdict, figures by variant,
comparisons with the control, the split of users, and the lift over time.

### Parameters

Param | Description
---|---
**experiments** | Names of the experiments to show, at most 20

### Example

``` yaml
experiments: [home-ranking]
```
"""
MAX_EXPERIMENTS: Final = 20
"""Nobody reads more. Each takes about 3 KB of HTML, and 34 bytes a look."""
_BY_THE_SYSTEM: Final = "@media (prefers-color-scheme: dark)"


def experiments_of(event: Mapping[str, Any]) -> list[str]:
    """Return the experiments that a widget asks for, each once; nothing else of its parameters is used."""
    context = event.get("widgetContext") or {}
    asked = event.get("experiments") or (context.get("params") or {}).get("experiments") or []
    names = [name for name in asked if isinstance(name, str)] if isinstance(asked, list) else []
    return list(dict.fromkeys(names))[:MAX_EXPERIMENTS]


def is_dark(event: Mapping[str, Any]) -> bool:
    """Tell whether the dashboard is dark, which the reader's system may not be."""
    return (event.get("widgetContext") or {}).get("theme") == "dark"


def widget(names: Sequence[str], results: Mapping[str, ExperimentResults], *, dark: bool) -> str:
    """Draw experiments in order; one without results says so."""
    style = STYLE.replace(_BY_THE_SYSTEM, f"@media {'all' if dark else 'not all'}")
    parts = [fragment(results[name]) if name in results else _missing(name) for name in names]
    return f"<style>{style}</style>" + ("".join(parts) or "<p>This widget names no experiments.</p>")


def _missing(name: str) -> str:
    return f'<section class="attune"><h2>{escape(name)}</h2><p>Nothing was analyzed yet.</p></section>'
