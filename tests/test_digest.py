"""The content address of code: what must change it, and what must not."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
import types
from types import MappingProxyType

import numpy as np
import pytest
from assay.digest import Digester
from hypothesis import given
from hypothesis import strategies as st

PAPER = "assay_probe"


@pytest.fixture
def digest(plugins):
    """Write modules, import the first, and digest what an expression over it gives."""

    def of(expression: str, files: dict[str, str] = MappingProxyType({}), **sources: str) -> str:
        for name, source in {**{f"{name}.py": text for name, text in sources.items()}, **files}.items():
            path = plugins.folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)
        plugins.fresh()
        module = __import__(next(iter(sources)))
        return Digester().code(eval(expression, vars(module)))

    return of


CHANGES = {
    "a decorator": (
        "def twice(f):\n    return lambda x: 2 * f(x)\n@twice\ndef run(x):\n    return x\n",
        ("2 * f(x)", "3 * f(x)"),
    ),
    "a function inside a decorator's wrapper": (
        "def twice(f):\n    return lambda x: 2 * f(x)\n@twice\ndef run(x):\n    return x\n",
        ("return x\n", "return x + 1\n"),
    ),
    "what a wrapped function reaches": (
        "import functools\nA = 1\ndef deco(f):\n    @functools.wraps(f)\n    def g(x):\n        return f(x)\n    return g\n"
        "@deco\ndef run(x):\n    return x + A\n",
        ("A = 1", "A = 2"),
    ),
    "a nested function": (
        "def run(x):\n    def inner(y):\n        return y\n    return inner(x)\n",
        ("return y", "return -y"),
    ),
    "a name used in a nested function": (
        "A = 1\ndef run(x):\n    def inner(y):\n        return y + A\n    return inner(x)\n",
        ("A = 1", "A = 2"),
    ),
    "a closure's variable": (
        "def make(width):\n    def build(x):\n        return x * width\n    return build\nrun = make(3)\n",
        ("make(3)", "make(4)"),
    ),
    "a class made by a function": (
        "def make(width):\n    class Net:\n        def size(self):\n            return width\n    return Net\nrun = make(3)\n",
        ("make(3)", "make(4)"),
    ),
    "an argument of a partial": (
        "import functools\ndef f(a, b):\n    return a + b\nrun = functools.partial(f, b=1)\n",
        ("b=1", "b=2"),
    ),
    "a function given to a partial": (
        "import functools\ndef g(x):\n    return x\ndef f(a, b):\n    return a(b)\nrun = functools.partial(f, g)\n",
        ("return x\n", "return -x\n"),
    ),
    "an array given to a partial": (
        "import functools, numpy\ndef f(a, b):\n    return a @ b\nrun = functools.partial(f, numpy.arange(4))\n",
        ("arange(4)", "arange(5)"),
    ),
    "the state of a builder": (
        "class Builder:\n    def __init__(self, n):\n        self.n = n\n    def __call__(self, x):\n        return x\n"
        "run = Builder(1)\n",
        ("Builder(1)", "Builder(2)"),
    ),
    "the object of a bound method": (
        "class Builder:\n    def __init__(self, n):\n        self.n = n\n    def build(self, x):\n        return x\n"
        "run = Builder(1).build\n",
        ("Builder(1)", "Builder(2)"),
    ),
    "which constructor of a class": (
        "class Net:\n    @classmethod\n    def small(cls):\n        return cls()\n    @classmethod\n    def big(cls):\n"
        "        return cls()\nrun = Net.small\n",
        ("run = Net.small", "run = Net.big"),
    ),
    "a module-level lambda": ("run = lambda x: x\n", ("x: x", "x: -x")),
    "a default bound in a loop": (
        "def make():\n    return [lambda x, i=i: x + i for i in (1, 2)]\nrun = make()[0]\n",
        ("make()[0]", "make()[1]"),
    ),
    "a table filled by a loop": (
        "TABLE = {}\nfor name, size in [('a', 1)]:\n    TABLE[name] = size\ndef run(x):\n    return TABLE[x]\n",
        ("('a', 1)", "('a', 2)"),
    ),
    "an item set in a table": ("TABLE = {}\nTABLE['a'] = 1\ndef run(x):\n    return TABLE[x]\n", ("= 1", "= 2")),
    "a method put into a class": (
        "class Net:\n    pass\ndef forward(self):\n    return 1\nNet.forward = forward\nrun = Net\n",
        ("return 1", "return 2"),
    ),
    "the branch of a conditional definition": (
        "import sys\nif sys.version_info > (3,):\n    def f(x):\n        return x\nelse:\n    def f(x):\n        return 0\n"
        "def run(x):\n    return f(x)\n",
        ("return 0", "return 1"),
    ),
    "a metaclass's keyword": ("A = 1\nclass Net:\n    width: int = A\nrun = Net\n", ("A = 1", "A = 2")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_meaning_changes_the_digest(digest, what):
    source, (old, new) = CHANGES[what]
    assert source.count(old) >= 1
    before, again = digest("run", assay_probe=source), digest("run", assay_probe=source)
    assert before == again, "the same source must give the same digest"
    assert digest("run", assay_probe=source.replace(old, new)) != before


IMPORTS = {
    "from module import name": ("from assay_suite.recipe import fit\ndef run(x):\n    return fit(x)\n"),
    "from package import module": ("from assay_suite import recipe\ndef run(x):\n    return recipe.fit(x)\n"),
    "import package.module": ("import assay_suite.recipe\ndef run(x):\n    return assay_suite.recipe.fit(x)\n"),
    "import as": ("import assay_suite.recipe as r\ndef run(x):\n    return r.fit(x)\n"),
    "star import": ("from assay_suite.recipe import *\ndef run(x):\n    return fit(x)\n"),
    "import inside the function": ("def run(x):\n    from assay_suite.recipe import fit\n    return fit(x)\n"),
    "conditional import": (
        "try:\n    from assay_suite.recipe import fit\nexcept ImportError:\n    fit = None\ndef run(x):\n    return fit(x)\n"
    ),
    "re-exported by the package": ("from assay_suite import train\ndef run(x):\n    return train(x)\n"),
    "inherited across modules": ("from assay_suite.recipe import Base\nclass run(Base):\n    pass\n"),
    "package re-exported as an attribute": ("import assay_suite\ndef run(x):\n    return assay_suite.train(x)\n"),
}
SUITE = "from assay_suite.recipe import fit as train\n"
RECIPE = "A = 1\ndef fit(x):\n    return x + A\nclass Base:\n    size = A\ndef unused():\n    return 5\n"


@pytest.mark.parametrize("how", IMPORTS)
def test_an_edit_behind_an_import_changes_the_digest(digest, how):
    def of(recipe: str) -> str:
        files = {"assay_suite/__init__.py": SUITE, "assay_suite/recipe.py": recipe}
        return digest("run", files, assay_probe=IMPORTS[how])

    assert of(RECIPE) == of(RECIPE)
    assert of(RECIPE) != of(RECIPE.replace("A = 1", "A = 2"))


def test_statements_that_nothing_reaches_do_not_count(digest):
    def of(recipe: str) -> str:
        files = {"assay_suite/__init__.py": "", "assay_suite/recipe.py": recipe}
        return digest("run", files, assay_probe=IMPORTS["from module import name"])

    assert of(RECIPE) == of(RECIPE.replace("return 5", "return 6"))


def test_type_checking_imports_and_main_blocks_do_not_count(digest):
    source = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a\ndef run(x: 'a.T'):\n    return x\n"
    assert digest("run", assay_probe=source) == digest("run", assay_probe=source.replace("import a", "import a, b"))
    main = "def run(x):\n    return x\nif __name__ == '__main__':\n    print(run(1))\n"
    assert digest("run", assay_probe=main) == digest("run", assay_probe=main.replace("run(1)", "run(2)"))


def test_a_helper_beside_the_users_own_module_counts(digest):
    source = "from helper import scale\nclass Net:\n    size = scale\n"
    first = digest("Net", my_net=source, helper="scale = 1\n")
    assert first != digest("Net", my_net=source, helper="scale = 2\n")


def test_installed_libraries_do_not_count(digest):
    import sqlalchemy

    assert Digester().code(sqlalchemy.create_engine) == Digester().code(sqlalchemy.create_engine)
    reach = Digester()._reach
    assert not any(map(reach.counts, ("numpy", "sqlalchemy.sql", "json", "pytest", "assay.cell")))
    assert all(map(reach.counts, ("assay_sets.recipe", "__main__")))


def test_code_of_a_console_is_told_by_its_byte_code_and_globals():
    def console(source: str) -> str:
        module = types.ModuleType("__main__")
        keep, sys.modules["__main__"] = sys.modules["__main__"], module
        try:
            exec(compile(source, "<input>", "exec"), vars(module))
            return Digester().code(module.Net)
        finally:
            sys.modules["__main__"] = keep

    source = "WIDTH = 3\nclass Block:\n    depth = 1\nclass Net:\n    def build(self):\n        return Block, WIDTH\n"
    assert console(source) == console("# a comment\n" + source)
    for old, new in (("WIDTH = 3", "WIDTH = 4"), ("depth = 1", "depth = 2"), ("Block, WIDTH", "WIDTH, Block")):
        assert console(source) != console(source.replace(old, new))


def test_the_digest_does_not_depend_on_the_process(plugins):
    (plugins.folder / "assay_probe.py").write_text(
        "import functools\nNAMES = {'a', 'b', 'c'}\ndef make(s):\n    def run(x):\n        return x in s\n    return run\n"
        "run = functools.partial(make({'x', 'y', 'z'}), x={'k': len})\n"
    )
    script = "import assay_probe; from assay.digest import Digester; print(Digester().code(assay_probe.run))"
    found = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONPATH": str(plugins.folder), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.float32([1, 2]), np.float64([1, 2])),
        (np.zeros((2, 3)), np.zeros((3, 2))),
        ([1, 2], [2, 1]),
        ("1", 1),
        (1, True),
        (functools.partial(len), len),
        ({"a": 1}, {"a": 2}),
    ],
)
def test_different_values_have_different_digests(one, other):
    assert Digester().value(one) != Digester().value(other) and Digester().value(one) == Digester().value(one)


def test_a_structure_that_holds_itself_has_a_digest():
    loop: list = [1]
    loop.append(loop)
    assert Digester().value(loop) == Digester().value(loop)


NAMES = st.sampled_from(["alpha", "beta", "x", "run"])
EXPRESSIONS = st.recursive(
    st.one_of(NAMES, st.integers(0, 9).map(str)),
    lambda inner: st.tuples(inner, st.sampled_from(["+", "*", "-"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    max_leaves=8,
)


@given(st.lists(st.tuples(NAMES, EXPRESSIONS), min_size=1, max_size=4), st.integers(1, 8))
def test_formatting_comments_and_docstrings_do_not_change_what_is_reached(tmp_path_factory, lines, indent):
    from assay.reach import Module, text_of

    body = [f"{name} = {expression}" for name, expression in lines]
    plain = "def run(x):\n" + "".join(f"    {line}\n" for line in body)
    pad = " " * indent
    fancy = f'# comment\n"""Module."""\n\ndef run( x ):\n{pad}"""Doc."""\n' + "".join(
        f"{pad}{line.replace(' ', '  ')}  # why\n\n" for line in body
    )
    folder = tmp_path_factory.mktemp("formatting")
    texts = []
    for source in (plain, fancy, ast.unparse(ast.parse(plain))):
        (folder / "m.py").write_text(source)
        texts.append([text_of(s) for s in Module("m", str(folder / "m.py")).reached("run")])
    assert texts[0] == texts[1] == texts[2]
