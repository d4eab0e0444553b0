"""Renders the core's Jinja2 templates. Jinja2 comes with `pip install 'assay[authors]'`."""

from __future__ import annotations

import functools
from typing import Any

from assay.errors import AssayError


@functools.cache
def _environment() -> Any:
    try:
        import jinja2
    except ModuleNotFoundError:
        raise AssayError("this needs Jinja2: pip install 'assay[authors]'") from None
    loader = jinja2.PackageLoader("assay", "templates")
    return jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, keep_trailing_newline=True, autoescape=False
    )


def render(template: str, **values: Any) -> str:
    """Return a template of the core filled in; a name that it lacks is an error."""
    return str(_environment().get_template(template).render(**values))
