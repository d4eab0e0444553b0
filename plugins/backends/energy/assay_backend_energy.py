"""Energy of each cell as the cost `energy`, in joules: of the processor packages by RAPL, of an NVIDIA GPU by NVML.

It is that of the whole device while the cell ran, other programs' included: run with one worker on a quiet machine.
Where nothing can be read there is no such cost.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

from assay import hookimpl

POWERCAP = Path("/sys/class/powercap")


class Zone(NamedTuple):
    """A counter of RAPL: microjoules that grow up to `range` and begin anew."""

    name: str
    file: Path
    range: int

    def read(self) -> int:
        """Return the counter."""
        return int(self.file.read_text())

    def spent(self, before: int) -> float:
        """Return the joules since the counter stood at `before`; it may have begun anew once."""
        return ((self.read() - before) % (self.range + 1)) / 1e6


def zones(root: Path = POWERCAP) -> tuple[Zone, ...]:
    """Return the counters of processor packages and their memory that this user may read.

    Cores are part of a package and `psys` holds all, so both are left out.
    """
    found = []
    for folder in sorted(root.glob("intel-rapl:*")):
        try:
            name = (folder / "name").read_text().strip()
            zone = Zone(name, folder / "energy_uj", int((folder / "max_energy_range_uj").read_text()))
            if name.startswith("package") or name == "dram":
                zone.read()
                found.append(zone)
        except (OSError, ValueError):
            continue
    return tuple(found)


def gpu_meter() -> Callable[[], float] | None:
    """Return a function that reads the joules of torch's current GPU since its driver was loaded, None without NVML."""
    try:
        import pynvml
        import torch
    except ImportError:
        return None
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties().uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except (pynvml.NVMLError, AssertionError, RuntimeError):  # no driver, or a GPU older than Volta: it does not count
        return None
    return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1e3


@hookimpl(wrapper=True)
def assay_run_cell(cell: Any, ctx: Any) -> Generator[None, Any, Any]:
    """Add the energy of the device that a cell computes on to its record."""
    if ctx.device.startswith("cuda"):
        meter = gpu_meter()
        start = meter() if meter else 0.0
        record = yield
        return _with(record, meter() - start) if meter else record
    counters = zones() if ctx.device == "cpu" else ()
    before = [zone.read() for zone in counters]
    record = yield
    return _with(record, sum(z.spent(b) for z, b in zip(counters, before, strict=True))) if counters else record


def _with(record: Any, joules: float) -> Any:
    return dataclasses.replace(record, costs={**record.costs, "energy": joules})
