"""What people look at: the HTML report, plots, drawings for the terminal, JUnit XML.

`render` writes one self-contained HTML file about a judged history; `plots` writes its
pictures as PNG files into a run folder; `text` draws a counterexample in the terminal;
`junit` tells a CI server.  Reports only read: they decide nothing, and no content of a
history makes them fail.
"""

from __future__ import annotations

from reports._junit import junit, junit_suites
from reports._page import render
from reports._pictures import plots
from reports._text import text

__all__ = ["junit", "junit_suites", "plots", "render", "text"]
