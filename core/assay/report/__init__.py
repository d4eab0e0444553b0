"""The report: what a store and the recorded verdicts tell, as one HTML file that needs nothing else.

`content` makes plain data of them, `page` writes the file, `serve` shows it while a run goes on. No plugin is imported.
"""

from assay.report.content import Sources, gather
from assay.report.page import render, write

__all__ = ["Sources", "gather", "render", "write"]
