"""Counters of energy, read from a folder like the system's."""

import pytest
from assay import Context
from assay.spec import Cell, Record
from assay_backend_energy import assay_run_cell, zones

CELL = Cell("toy/line", "toy/noisy", "mean", (), 0, "smoke")


@pytest.fixture
def powercap(tmp_path):
    """Two packages, of which one may not be read, memory, cores and the whole platform."""
    for number, (name, value) in enumerate(
        [("package-0", 9_000_000), ("package-1", "secret"), ("dram", 1_000_000), ("core", 5), ("psys", 7)]
    ):
        folder = tmp_path / f"intel-rapl:{number}"
        folder.mkdir()
        (folder / "name").write_text(f"{name}\n")
        (folder / "max_energy_range_uj").write_text("9999999\n")
        (folder / "energy_uj").write_text(f"{value}\n")
    return tmp_path


def through(record, work):
    """Send a record through the wrapper, with work between."""
    wrapper = assay_run_cell(CELL, Context(CELL, {}))
    next(wrapper)
    work()
    with pytest.raises(StopIteration) as stop:
        wrapper.send(record)
    return stop.value.value


def test_packages_and_memory_count_and_what_is_part_of_others_does_not(powercap):
    assert [zone.name for zone in zones(powercap)] == ["package-0", "dram"]


def test_a_record_gets_the_joules_spent_meanwhile_even_when_a_counter_begins_anew(powercap, monkeypatch):
    found = zones(powercap)
    monkeypatch.setattr("assay_backend_energy.zones", lambda: found)

    def work():
        (powercap / "intel-rapl:0" / "energy_uj").write_text("500000")  # from 9 J over 10 J to 0.5 J
        (powercap / "intel-rapl:2" / "energy_uj").write_text("1250000")

    record = through(Record(CELL, "d", costs={"fit_seconds": 1.0}), work)
    assert record.costs == {"fit_seconds": 1.0, "energy": pytest.approx(1.75)}


def test_where_nothing_can_be_read_there_is_no_figure(monkeypatch):
    monkeypatch.setattr("assay_backend_energy.zones", lambda: ())
    record = Record(CELL, "d")
    assert through(record, lambda: None) is record
