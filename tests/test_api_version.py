"""A plugin for another version of the interface is left out with a clear line; the rest works."""

from __future__ import annotations

import pytest
from assay.catalog import Catalog, Plugin


def plugin(version: str) -> Plugin:
    return Plugin("assay-other", "2.0", "Other", "json", ("family:other", "task:other/x", f"api:{version}"))


@pytest.mark.parametrize(
    ("version", "upgrade"), [("0", "assay-other"), ("2", "assay"), ("10", "assay"), ("x", "assay-other")]
)
def test_a_mismatch_says_what_to_upgrade(version, upgrade, capsys):
    catalog = Catalog([plugin(version)]).load()
    (problem,) = catalog.problems
    assert f"made for version {version} of assay's plugin interface" in problem.reason
    assert problem.reason.endswith(f"pip install --upgrade {upgrade}")
    assert "assay-other is left out" in capsys.readouterr().err


def test_the_version_that_is_offered_is_accepted():
    assert Catalog([plugin("1")]).load().problems == []


def test_a_plugin_that_says_nothing_is_taken_as_it_is():
    assert Catalog([plugin("1")._replace(keywords=("family:other", "task:other/x"))]).load().problems == []
