"""A pytest plugin: `pytest --assay` applies the conformance kit to the plugin folders that it collects, a test a check."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from assay.checks.kit import Check, Result
    from assay.checks.runner import Report
    from assay.checks.subject import Subject


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--assay` and `--assay-static`."""
    group = parser.getgroup("assay", "conformance of assay plugins")
    group.addoption("--assay", action="store_true", help="check the plugin folders that are collected")
    group.addoption("--assay-static", action="store_true", help="the same, but run no entrant")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect the pyproject.toml of a plugin."""
    wanted = parent.config.getoption("assay") or parent.config.getoption("assay_static")
    if not wanted or file_path.name != "pyproject.toml":
        return None
    from assay.checks.subject import plugin_of

    return Plugin.from_parent(parent, path=file_path) if plugin_of(file_path.parent).module else None


class Plugin(pytest.File):
    """A plugin's folder: an item for each check."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the checks."""
        from assay.checks import runner

        for check in runner.checks(smoke=not self.config.getoption("assay_static")):
            yield Conforms.from_parent(self, name=check.id, check=check)

    @property
    def subject(self) -> Subject:
        """The plugin, loaded once."""
        if not hasattr(self, "_subject"):
            from assay.checks.subject import subjects

            (self._subject,) = subjects([str(self.path.parent)])
        return self._subject


class Conforms(pytest.Item):
    """One check of one plugin."""

    def __init__(self, *, check: Check, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.check = check

    def runtest(self) -> None:
        """Apply the check; skip what is waived or not applicable."""
        from assay.checks import runner

        assert isinstance(self.parent, Plugin)
        report: Report = runner.examine(self.parent.subject, [self.check])
        result: Result = report.results[0]
        if result.state in ("waived", "not applicable"):
            pytest.skip(f"{result.state}: {result.note}")
        if not report.ok:
            raise Found("\n".join(f for r in report.results for f in r.findings) + f"\nfix: {self.check.fix}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the findings alone."""
        return str(excinfo.value) if isinstance(excinfo.value, Found) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the check is reported."""
        return self.path, 0, f"{self.path.parent.name}: {self.check.id}"


class Found(Exception):
    """What a check found."""
