"""Checks of what an entrant builds, called directly on a batch that its task's `probe` gives."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from assay.checks.kit import Check, NotApplicable
from assay.checks.smoke import cell_of
from assay.checks.subject import Subject
from assay.checks.watch import watched
from assay.context import Context, isolated_generators
from assay.spec import CPU, Entrant, Model, Probe

CLOSE = 1e-4
"""Relative difference that rounding in float32 may make."""


class Probed(NamedTuple):
    """An entrant with its probe; `trains_itself` when it has `fit`."""

    model: Model
    probe: Probe
    trains_itself: bool


def probed(subject: Subject) -> list[Probed]:
    """Return the probes of a plugin's entrants; not applicable when no task has any."""
    if not hasattr(subject, "_probed"):
        subject._probed = [p for model in subject.models if (p := _probe(subject, model))]  # type: ignore[attr-defined]
    found: list[Probed] = subject._probed  # type: ignore[attr-defined]
    if not found:
        raise NotApplicable("its tasks have no probe: entrants are no torch modules")
    return found


def _probe(subject: Subject, model: Model) -> Probed | None:
    task = subject.placed(model)
    if task.probe is None:
        return None
    cell = cell_of(subject, model)
    ctx = Context(cell, task.budgets["smoke"], CPU)
    try:
        with watched(), isolated_generators(ctx.model_seed):
            data = subject.catalog.datasets[cell.dataset].load(ctx.data_seed, "smoke", None)
            probe = task.probe(Entrant(model.id, model, dict(model.params)), data, ctx)
    except Exception:
        return None  # `runs` reports it, with its reason
    finally:
        ctx.close()
    return Probed(model, probe, hasattr(probe.module, "fit"))


def each(subject: Subject, look: Callable[[Probed], str]) -> Iterator[str]:
    """Yield what `look` says of each probe; an error is said too."""
    for item in probed(subject):
        try:
            with watched(), isolated_generators(0):
                found = look(item)
        except Exception as error:
            found = f"{type(error).__name__}: {error}".splitlines()[0]
        if found:
            yield f"{item.model.id} ({item.model.task}): {found}"


def _call(item: Probed, inputs: tuple[Any, ...], *, double: bool = False) -> Any:
    """Return the output of a copy in evaluation mode, without gradients."""
    import torch

    module = copy.deepcopy(item.probe.module).eval()
    if double:
        module = module.double()
    with torch.no_grad():
        return module(*inputs)


def _far(a: Any, b: Any) -> float:
    """Return the largest difference relative to the largest entry."""
    return float((a.double() - b.double()).abs().max() / (1e-12 + b.double().abs().max()))


def contract(subject: Subject) -> Iterator[str]:
    """The output has the contract's shape, the inputs' dtype, and is finite."""
    import torch

    def look(item: Probed) -> str:
        out = _call(item, item.probe.inputs)
        if not isinstance(out, torch.Tensor) or tuple(out.shape) != item.probe.shape:
            return f"gives {tuple(getattr(out, 'shape', ()))}, the contract asks for {item.probe.shape}"
        if out.dtype != torch.float32:
            return f"gives {out.dtype} for float32"
        return "" if bool(out.isfinite().all()) else "gives values that are not finite"

    yield from each(subject, look)


def batch_of_one(subject: Subject) -> Iterator[str]:
    """One sample alone gives the shape for one."""

    def look(item: Probed) -> str:
        out = _call(item, tuple(t[:1] for t in item.probe.inputs))
        return "" if tuple(out.shape) == (1, *item.probe.shape[1:]) else f"gives {tuple(out.shape)} for one sample"

    yield from each(subject, look)


def noncontiguous(subject: Subject) -> Iterator[str]:
    """The layout of the input in memory does not matter."""

    def look(item: Probed) -> str:
        inputs = tuple(t.transpose(0, -1).contiguous().transpose(0, -1) for t in item.probe.inputs)
        gap = _far(_call(item, inputs), _call(item, item.probe.inputs))
        return f"changes by {gap:.2g} with the layout of its input" if gap > CLOSE else ""

    yield from each(subject, look)


def float64(subject: Subject) -> Iterator[str]:
    """In double precision it computes in double precision."""
    import torch

    def look(item: Probed) -> str:
        inputs = tuple(t.double() if t.is_floating_point() else t for t in item.probe.inputs)
        out = _call(item, inputs, double=True)
        return "" if out.dtype == torch.float64 else f"gives {out.dtype} for float64"

    yield from each(subject, look)


def autocast(subject: Subject) -> Iterator[str]:
    """Where an entrant says so, it works in bfloat16 autocast."""
    import torch

    if not any(item.model.autocast for item in probed(subject)):
        raise NotApplicable("no entrant says that it works in autocast")

    def look(item: Probed) -> str:
        if not item.model.autocast:
            return ""
        with torch.autocast("cpu", torch.bfloat16):
            out = _call(item, item.probe.inputs)
        good = tuple(out.shape) == item.probe.shape and bool(out.isfinite().all())
        return "" if good else "does not give finite values of the right shape in autocast"

    yield from each(subject, look)


def gradients(subject: Subject) -> Iterator[str]:
    """Every parameter that is not frozen gets a gradient."""
    import torch

    trained = [item for item in probed(subject) if not item.trains_itself]
    if not any(p.requires_grad for item in trained for p in item.probe.module.parameters()):
        raise NotApplicable("has no parameter that is trained by gradients")

    def look(item: Probed) -> str:
        if item.trains_itself:
            return ""
        module = copy.deepcopy(item.probe.module).train()
        out = module(*item.probe.inputs)
        (out * torch.linspace(0.5, 1.5, out.numel()).reshape(out.shape)).sum().backward()
        without = [name for name, p in module.named_parameters() if p.requires_grad and p.grad is None]
        return f"no gradient for {', '.join(without[:3])}" if without else ""

    yield from each(subject, look)


def inputs_kept(subject: Subject) -> Iterator[str]:
    """The inputs stay as they are."""

    def look(item: Probed) -> str:
        inputs = tuple(t.clone() for t in item.probe.inputs)
        _call(item, inputs)
        same = all(a.equal(b) for a, b in zip(inputs, item.probe.inputs, strict=True))
        return "" if same else "writes into its input"

    yield from each(subject, look)


def state_dict(subject: Subject) -> Iterator[str]:
    """All that it has learnt is in its state_dict."""

    def look(item: Probed) -> str:
        task = subject.placed(item.model)
        cell = dataclasses.replace(cell_of(subject, item.model), seed=1)
        ctx = Context(cell, task.budgets["smoke"], CPU)
        first = cell_of(subject, item.model)
        data = subject.catalog.datasets[first.dataset].load(Context(first, {}).data_seed, "smoke", None)
        assert task.probe is not None
        other = task.probe(Entrant(item.model.id, item.model, dict(item.model.params)), data, ctx)
        ctx.close()
        other.module.load_state_dict(item.probe.module.state_dict())
        gap = _far(_call(Probed(item.model, other, False), item.probe.inputs), _call(item, item.probe.inputs))
        return f"changes by {gap:.2g} when its state_dict is loaded into another" if gap > CLOSE else ""

    yield from each(subject, look)


_TENSORS = "make new tensors like the input: x.new_zeros(...), dtype=x.dtype"
CHECKS = (
    Check(
        "contract",
        "smoke",
        "metrics rest on the shapes that the task promises",
        "see assay show PAPER, Task.contract",
        contract,
    ),
    Check(
        "batch-of-one",
        "smoke",
        "squeeze() and batch statistics break on one sample",
        "name the dimension",
        batch_of_one,
    ),
    Check(
        "noncontiguous",
        "smoke",
        "view() on a transposed input gives wrong numbers or fails",
        "use reshape",
        noncontiguous,
    ),
    Check("float64", "smoke", "exact claims are tested in double precision", _TENSORS, float64),
    Check("autocast", "smoke", "what is said to work in autocast must", _TENSORS, autocast),
    Check(
        "gradients",
        "smoke",
        "a part without gradient is never trained",
        "use it, freeze it, or remove detach()",
        gradients,
    ),
    Check("inputs-kept", "smoke", "entrants share their data", "use x = x + 1, not x += 1", inputs_kept),
    Check("state-dict", "smoke", "what is not in state_dict is lost when saved", "register_buffer", state_dict),
)
