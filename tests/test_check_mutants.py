"""Every check of the conformance kit catches a small wrong plugin, and the good one passes them all."""

from __future__ import annotations

import pytest
from assay.checks import manners, runner
from kit import PLUGINS, copied, subject

PAPER, SUITE = "paper/assay_weights.py", "suite/assay_sums/__init__.py"
TOML, SUITE_TOML, TEST, VERDICT = (
    "paper/pyproject.toml",
    "suite/pyproject.toml",
    "paper/test_weights.py",
    "paper/verdict.json",
)
REPORT = '        """Return the size of the weights."""\n'
FORWARD = "return self.linear(x[:, : self.columns])"
MSE = 'mse("mean") - mse("weights", bias=True) > 0.5'
SIZE = '(size("weights") < 100)'
DOCSTRING = '"""A weight a column (Legendre, 1805): least squares with a weight for each column."""'
ENTRANT = 'Model("weights-mean", task, wide)'
BUSY = "        sum(range(30_000_000))\n"


def reporting(line: str, *imported: str) -> tuple[tuple[str, str, str], ...]:
    """Return the change by which the entrant's report does something more."""
    lines = "".join(f"        import {name}\n" for name in imported)
    return ((PAPER, REPORT, f"{REPORT}{lines}        {line}\n"),)


def paper(old: str, new: str) -> tuple[tuple[str, str, str], ...]:
    """Return a change of the paper's module."""
    return ((PAPER, old, new),)


MUTANTS = {
    # the folder and its metadata
    "layout": (("paper/notes.txt", "", "what I thought"),),
    "names": ((TOML, 'name = "assay-weights"', 'name = "weights"'),),
    "entry-point": ((TOML, 'weights = "assay_weights"', 'weights = "assay_weights"\nmore = "assay_weights"'),),
    "licence": ((TOML, 'license = "MIT"', 'license = "see file"'),),
    "readme-declared": ((TOML, 'readme = "README.md"\n', ""),),
    "python-range": ((TOML, '">=3.10"', '">=3.12"'),),
    "build-backend": ((TOML, "hatchling.build", "setuptools.build_meta"),),
    "wheel-contents": ((TOML, '"verdict.json" = "verdict.json"', ""),),
    "title": ((TOML, '"A weight a column"', '"A weight a column."'),),
    "family-keyword": ((TOML, '    "family:sums",\n', ""),),
    "api-version": ((TOML, '    "api:1",\n', ""),),
    "core-required": ((TOML, '"assay>=0.1"', '"assay"'),),
    "bounded": ((TOML, '"torch>=2.2"', '"torch==2.2"'),),
    "undeclared": ((TOML, ', "torch>=2.2"', ""),),
    "allowed-imports": paper("from torch import Tensor, nn", "import hypothesis\nfrom torch import Tensor, nn"),
    "unused": ((TOML, '"torch>=2.2"', '"torch>=2.2", "scipy>=1.10"'),),
    "folder-size": (("paper/data.txt", "", "0" * 1_100_000),),
    "verdict-recorded": (("paper/verdict.json", '"claims"', '"nothing"'),),
    "verdict-claims": ((VERDICT, '"id": "weights-help"', '"id": "weights-hurt"'),),
    # the source
    "paper-imports": ((SUITE_TOML, '"task:sums/columns", ', '"task:sums/columns", "paper:sums", '),),
    "public-core": paper("from torch import Tensor, nn", "from assay.cell import Job\nfrom torch import Tensor, nn"),
    "module-size": paper(DOCSTRING, DOCSTRING + "\n" * 250),
    "module-docstring": paper("(Legendre, 1805)", ""),
    "docstrings": paper('    """Sum of the absolute weights."""\n', ""),
    "docstring-shapes": paper('"""(B, N) -> (B, 1): a weight a column."""', '"""A weight a column."""'),
    "annotated": paper("def size(outcome: Mapping[str, Any]) -> float", "def size(outcome) -> float"),
    "no-print": reporting("print('here')"),
    "finished": paper(FORWARD, "raise NotImplementedError"),
    "no-global-state": reporting("torch.manual_seed(0)", "torch"),
    "no-swallowing": paper(FORWARD, f"try:\n            {FORWARD}\n        except Exception:\n            return x"),
    "tested": ((TEST, "    assert ", "    "),),
    "test-size": ((TEST, "import torch\n", "import torch\n" + "\n" * 250),),
    # what it registers
    "loads": paper("from torch import Tensor, nn", "import no_such_library\nfrom torch import Tensor, nn"),
    "same-paper": paper('title="A weight a column"', 'title="A column a weight"'),
    "same-tasks": ((TOML, '"task:sums/columns",', '"task:sums/columns", "task:sums/products",'),),
    "same-claims": ((TOML, '"claim:weights-help"', '"claim:weights-hurt"'),),
    "same-places": ((TOML, '"model:sums/columns/weights-two"', '"model:sums/columns/weights-three"'),),
    "arxiv": paper("year=1805,", 'year=1805, arxiv="1703.0611",'),
    "year": paper("year=1805", "year=2805"),
    "model-ids": paper('Model("weights-mean"', 'Model("Toy_Mean"'),
    "model-tasks": paper(ENTRANT, 'Model("weights-mean", "sums/products", wide)'),
    "ablates": paper('ablates="weights"', 'ablates="toi"'),
    "has-ablation": paper(', ablates="weights"', ""),
    "params-accepted": paper('{"columns": 2}', '{"column": 2}'),
    "knobs-hold-default": paper('"bias": (True, False)', '"bias": (False, None)'),
    "known-datasets": paper('datasets=("weighted",)', 'datasets=("weighed",)'),
    "metric-form": paper('"sum", bounds', '"", bounds'),
    "task-form": ((SUITE, 'baselines=("mean",)', 'baselines=("median",)'),),
    "suite-form": ((SUITE, "one weight for all?", "one weight for all."),),
    "dataset-form": ((SUITE, "weighted sums, synthetic", "weighted sums"),),
    # what it claims
    "has-claims": paper("claims=[", "claims=[][:0] and ["),
    "claim-ids": paper('"weights-help"', '"Weights help"'),
    "claim-says": paper("one for all.", "one for all"),
    "claim-tasks": paper('score("size", task="sums/columns")', 'score("size", task="sums/products")'),
    "claim-entrants": paper('mse("mean")', 'mse("meen")'),
    "claim-metrics": paper('score("mse"', 'score("mae"'),
    "claim-datasets": paper('dataset="weighted"', 'dataset="weighed"'),
    "claim-params": paper("bias=True)", "bias=3)"),
    "claim-about-paper": paper(f"({MSE}) & {SIZE}", 'mse("mean") > 0.5'),
    "claim-margin": paper("> 0.5", "> 0"),
    "claim-can-fail": paper(SIZE, '(size("weights") >= 0)'),
    "claim-seeds": paper('published="clearly"', 'published="clearly", seeds=2'),
    "claim-published": paper('published="clearly"', 'published=""'),
    # what is generated
    "readme-fresh": (("paper/README.md", "# A weight a column", "# A weight"),),
    "verdict-fresh": paper("> 0.5", "> 0.7"),
    # what it does when it runs
    "runs": reporting("raise ValueError('no')"),
    "metrics-in-range": paper('return float(outcome["size"])', 'return float("nan")'),
    "main-metric": ((SUITE, '"prediction": prediction,', '"guess": prediction,'),),
    "deterministic": paper('"size": float(', '"size": __import__("time").perf_counter() + float('),
    "seeds-differ": (
        (SUITE, "default_rng([seed, len(scale)])", "default_rng(0)"),
        (PAPER, "bias=bias)\n", "bias=bias)\n        for p in self.parameters():\n            nn.init.ones_(p)\n"),
    ),
    "generators": reporting("numpy.random.seed(0)", "numpy"),
    "settings": reporting("os.environ['WEIGHTS'] = 'heavy'", "os"),
    "files": reporting("open('left.txt', 'w').close()"),
    "network": reporting(
        "try:\n            socket.create_connection(('example.org', 80))\n        except OSError:\n            pass",
        "socket",
    ),
    "processes": reporting("subprocess.Popen(['sleep', '60'])", "subprocess"),
    "quiet": reporting("print('here')"),
    "loss-falls": ((SUITE, "loss.backward()", "(-loss).backward()"),),
    "ablation-differs": paper('{"columns": 2}', '{"columns": 4}'),
    "params-work": paper('{"bias": (True, False)}', '{"columns": (4, 9)}'),
    "costs": ((SUITE, "    with ctx.count_flops():\n        module(x[:1])\n", ""),),
    "smoke-time": ((PAPER, REPORT, REPORT + BUSY),),
    "claims-measured": paper('{"size": float(self.linear.weight.detach().abs().sum())}', "{}"),
    "dataset-runs": ((SUITE, "default_rng([seed, len(scale)])", "default_rng(0)"),),
    # what it builds
    "contract": paper(FORWARD, FORWARD + "[:, 0]"),
    "batch-of-one": paper(FORWARD, "x = x.squeeze(0)\n        " + FORWARD),
    "noncontiguous": paper(FORWARD, "x = x.view(-1).view(len(x), -1)\n        " + FORWARD),
    "float64": paper(FORWARD, FORWARD + ".float()"),
    "autocast": paper(FORWARD, f"out = {FORWARD[7:]}\n        out.detach().numpy()\n        return out"),
    "gradients": paper("self.columns = columns\n", "self.columns = columns\n        self.unused = nn.Linear(1, 1)\n"),
    "inputs-kept": paper(FORWARD, "x += 1\n        " + FORWARD),
    "state-dict": (
        (
            PAPER,
            "self.columns = columns\n",
            "self.columns = columns\n        self.shift = nn.Linear(1, 1).bias.item()\n",
        ),
        (PAPER, FORWARD, FORWARD + " + self.shift"),
    ),
    "import-time": paper("\n\nclass Weighted", "\nsum(range(30_000_000))\n\n\nclass Weighted"),
}
OF_SUITE = {"task-form", "suite-form", "dataset-form", "dataset-runs"}


@pytest.mark.parametrize("check", [check.id for check in runner.checks()])
def test_a_wrong_plugin_is_caught(check, tmp_path, monkeypatch):
    monkeypatch.setattr(manners, "CPU_SECONDS", 0.2)
    folder = copied(tmp_path / "weights", *MUTANTS[check])
    wrong = subject(folder, "suite" if check in OF_SUITE else "paper", monkeypatch)
    result = runner.apply(runner.check_by_id(check), wrong)
    assert result.state == "found", result
    assert all(isinstance(finding, str) and finding for finding in result.findings)


def test_there_is_no_mutant_without_a_check():
    assert set(MUTANTS) == {check.id for check in runner.checks()}


@pytest.fixture(scope="module")
def good():
    with pytest.MonkeyPatch.context() as patch:
        found = [runner.examine(subject(PLUGINS, which, patch), runner.checks()) for which in ("paper", "suite")]
    return {result.check: result.state for report in reversed(found) for result in report.results} | {
        f"{result.check} of the suite": result.state for result in found[1].results
    }


def test_the_good_plugin_passes_every_check(good):
    assert "found" not in good.values()
    papers = {check.id: good[check.id] for check in runner.checks() if check.id not in OF_SUITE}
    assert {name for name, state in papers.items() if state != "passed"} == {"arxiv"}  # Legendre is not on arXiv
    assert all(good[f"{name} of the suite"] == "passed" for name in OF_SUITE)


def test_a_check_says_why_it_exists_and_what_to_do():
    for check in runner.checks():
        assert check.reason and check.fix and check.examine.__doc__
    assert len(runner.checks()) >= 40
