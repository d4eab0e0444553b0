"""Checks of a plugin's source and tests by their syntax trees: nothing is imported."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

import assay
from assay.checks.kit import Check, NotApplicable
from assay.checks.subject import Subject

MODULE_LINES = 250
"""Of a module or a test file."""
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
GLOBAL_STATE = {
    "random.seed",
    "np.random.seed",
    "numpy.random.seed",
    "torch.manual_seed",
    "torch.seed",
    "torch.set_num_threads",
    "torch.set_default_dtype",
    "torch.set_default_device",
    "torch.use_deterministic_algorithms",
    "os.chdir",
    "os.putenv",
    "warnings.simplefilter",
}


def paper_imports(subject: Subject) -> Iterator[str]:
    """No paper imports another one."""
    if not subject.plugin.paper:
        raise NotApplicable("no paper")
    others = {p.module.partition(".")[0]: p for p in subject.catalog.plugins if p.paper and p != subject.plugin}
    for place, module in _imports(subject):
        top = module.partition(".")[0]
        if top in others:
            yield f"{place} imports paper {others[top].paper}: what two papers need belongs in their suite"


def public_core(subject: Subject) -> Iterator[str]:
    """Plugins use the core's public names."""
    if not subject.plugin.paper and not subject.plugin.having("task"):
        raise NotApplicable("a tool may need the core's rooms")
    for place, node in subject.nodes(ast.Import, ast.ImportFrom):
        modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
        for module in modules:
            if module.startswith("assay."):
                yield f"{place} imports {module}: only what `import assay` offers is kept from version to version"
        if isinstance(node, ast.ImportFrom) and node.module == "assay":
            for alias in node.names:
                if alias.name not in assay.__all__:
                    yield f"{place} imports assay.{alias.name}, which is not public"


def module_size(subject: Subject) -> Iterator[str]:
    """At most 250 lines a module."""
    for path, text in subject.sources.items():
        if (lines := text.count("\n")) > MODULE_LINES:
            yield f"{path.name} has {lines} lines, {MODULE_LINES} are allowed"


def module_docstring(subject: Subject) -> Iterator[str]:
    """A paper's module begins with what it is about and where it comes from."""
    if not subject.plugin.paper:
        raise NotApplicable("no paper")
    for path, tree in subject.trees.items():
        text = ast.get_docstring(tree) or ""
        if not re.search(r"arXiv:\d{4}\.\d{4,5}|arXiv:[a-z-]+/\d{7}|doi:|https?://|\b(18|19|20)\d\d\b", text):
            yield f"{path.name} does not begin with authors, year and source: (Zaheer et al., 2017, arXiv:1703.06114)"


def docstrings(subject: Subject) -> Iterator[str]:
    """Public modules, classes and functions say what they do."""
    for path, tree in subject.trees.items():
        if not ast.get_docstring(tree):
            yield f"{path.name} has no docstring"
        for node in _public(tree):
            if not ast.get_docstring(node):
                yield f"{path.name}:{node.lineno} {node.name} has no docstring"


def docstring_shapes(subject: Subject) -> Iterator[str]:
    """A module of torch says what shapes go in and come out."""
    found = False
    for place, node in subject.nodes(ast.ClassDef):
        forward = next((f for f in node.body if isinstance(f, FUNCTIONS) and f.name == "forward"), None)
        if forward is None or node.name.startswith("_"):
            continue
        found = True
        text = (ast.get_docstring(node) or "") + (ast.get_docstring(forward) or "")
        if not re.search(r"\([A-Za-z][\w ]*,.*\)|\(\w+,\)", text):
            yield f"{place} {node.name} does not say its shapes: (B, N, inputs) -> (B, classes)"
    if not found:
        raise NotApplicable("has no module of torch")


def annotated(subject: Subject) -> Iterator[str]:
    """Public functions carry types."""
    for path, tree in subject.trees.items():
        for node in _public(tree):
            if not isinstance(node, FUNCTIONS):
                continue
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            bare = [a.arg for a in arguments if a.annotation is None and a.arg not in ("self", "cls")]
            if bare or node.returns is None:
                yield f"{path.name}:{node.lineno} {node.name} has no types for {', '.join(bare) or 'what it returns'}"


def no_print(subject: Subject) -> Iterator[str]:
    """Results go to the record, not to the terminal."""
    for place, node in subject.nodes(ast.Call):
        if isinstance(node.func, ast.Name) and node.func.id == "print":
            yield f"{place} prints"


def nothing_unfinished(subject: Subject) -> Iterator[str]:
    """No part is missing."""
    for path, text in {**subject.sources, **subject.tests}.items():
        for number, line in enumerate(text.splitlines(), start=1):
            if re.search(r"#.*\b(TODO|FIXME|XXX)\b", line):
                yield f"{path.name}:{number} is unfinished: {line.strip()[:60]}"
    for place, node in subject.nodes(ast.Raise):
        if "NotImplementedError" in ast.dump(node):
            yield f"{place} is not implemented yet"
    for place, node in subject.nodes(ast.Constant):
        if isinstance(node.value, str) and "not implemented yet" in node.value:
            yield f"{place} says that it is not implemented yet"


def no_global_state(subject: Subject) -> Iterator[str]:
    """No call that changes what the whole process shares."""
    for place, node in subject.nodes(ast.Call):
        name = ast.unparse(node.func)
        if name in GLOBAL_STATE:
            yield f"{place} calls {name}"


def no_swallowing(subject: Subject) -> Iterator[str]:
    """No error is passed over in silence."""
    for place, node in subject.nodes(ast.ExceptHandler):
        broad = node.type is None or ast.unparse(node.type) in ("Exception", "BaseException")
        if broad and not any(isinstance(n, ast.Raise) for n in ast.walk(node)):
            yield f"{place} catches every error and goes on"


def tested(subject: Subject) -> Iterator[str]:
    """There are tests, each of which can fail."""
    if not subject.plugin.paper:
        raise NotApplicable("only a paper has its tests beside it")
    found = [
        (path, node)
        for path, text in subject.tests.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, FUNCTIONS) and node.name.startswith("test_")
    ]
    if not found:
        yield "there is no test"
    for path, node in found:
        if not any(map(_asserts, ast.walk(node))):
            yield f"{path.name}:{node.lineno} {node.name} asserts nothing"


def _asserts(node: ast.AST) -> bool:
    """Whether a part of a test can fail: an assertion, or a call such as `assert_allclose` or `pytest.raises`."""
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.Assert)
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    return "assert" in name or name == "raises"


def test_size(subject: Subject) -> Iterator[str]:
    """At most 250 lines a test file."""
    if not subject.plugin.paper:
        raise NotApplicable("only papers are bounded")
    for path, text in subject.tests.items():
        if (lines := text.count("\n")) > MODULE_LINES:
            yield f"{path.name} has {lines} lines, {MODULE_LINES} are allowed"


def _imports(subject: Subject) -> Iterator[tuple[str, str]]:
    for place, node in subject.nodes(ast.Import, ast.ImportFrom):
        if isinstance(node, ast.Import):
            yield from ((place, alias.name) for alias in node.names)
        elif not node.level:
            yield place, node.module or ""


def _public(tree: ast.Module) -> Iterator[Any]:
    """Yield public top-level functions and classes, and the public methods of these."""
    for node in tree.body:
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (f for f in node.body if isinstance(f, FUNCTIONS) and not f.name.startswith("_"))


_SUITE = "move it to the suite, or write it again"
_GLOBAL = "draw from ctx.rng(...), leave threads and defaults to the core"
CHECKS = (
    Check("paper-imports", "files", "a paper must work without any other paper", _SUITE, paper_imports),
    Check("public-core", "files", "the core's rooms change without notice", "from assay import ...", public_core),
    Check("module-size", "files", "a paper that needs more holds what belongs in a suite", "move or cut", module_size),
    Check(
        "module-docstring",
        "files",
        "a reader must find the paper",
        "begin with title, authors, year, arXiv id",
        module_docstring,
    ),
    Check("docstrings", "files", "code without a word cannot be reviewed against a paper", "add one line", docstrings),
    Check(
        "docstring-shapes",
        "files",
        "shapes are the contract of a module",
        "(B, N, inputs) -> (B, classes)",
        docstring_shapes,
    ),
    Check("annotated", "files", "types are checked before anything runs", "annotate arguments and result", annotated),
    Check("no-print", "files", "printing garbles progress and JSON", "use ctx.log", no_print),
    Check(
        "finished", "files", "an unfinished part gives a wrong verdict", "finish it or leave it out", nothing_unfinished
    ),
    Check("no-global-state", "files", "cells share a process, and seeds are the core's", _GLOBAL, no_global_state),
    Check(
        "no-swallowing",
        "files",
        "an error that is passed over becomes a wrong number",
        "catch what you expect",
        no_swallowing,
    ),
    Check("tested", "files", "a mechanism without a test is a guess", "assert what the paper says of it", tested),
    Check(
        "test-size", "files", "a test should read as examples", "test what the paper says, not the library", test_size
    ),
)
