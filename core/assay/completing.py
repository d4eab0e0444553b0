"""What can follow on a command line, from the parser and the metadata of plugins alone: no plugin is imported.

`assay completion bash|zsh|fish` prints a script that asks `assay complete WORD...` at each press of the tab key.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence

SCRIPTS = {
    "bash": """\
_assay() {
    local IFS=$'\\n'
    COMPREPLY=($(assay complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _assay assay
""",
    "zsh": """\
#compdef assay
_assay() {
    local -a found
    found=("${(@f)$(assay complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    compadd -a found
}
compdef _assay assay
""",
    "fish": """\
complete -c assay -f -a '(assay complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'
""",
}
CHOICES = {"--scale": ("smoke", "small", "full")}


def candidates(words: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Return what the last of the words can become; `words` are those after `assay`, the last one unfinished."""
    typed = words[-1] if words else ""
    commands = _commands(parser)
    if len(words) <= 1:
        return _starting(typed, commands)
    command, before = words[0], words[-2]
    if command not in commands:
        return []
    options = [o for action in commands[command]._actions for o in action.option_strings if o.startswith("--")]
    if typed.startswith("-"):
        return _starting(typed, options)
    if before in CHOICES:
        return _starting(typed, CHOICES[before])
    head, comma, last = typed.rpartition(",")
    return [head + comma + word for word in _starting(last, _ids(command, before))]


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _ids(command: str, before: str) -> set[str]:
    """Return the ids that may stand in a place: papers, tasks, families."""
    from assay import catalog, index

    plugins = catalog.installed()
    papers = {p.paper for p in plugins if p.paper}
    tasks = {task for p in plugins for task in p.having("task")}
    families = {p.family for p in plugins if p.family}
    if before == "--family":
        return families | ({e["family"] for e in index.known()} if command == "install" else set())
    if before == "--task":
        return tasks | ({t for e in index.known() for t in e["tasks"]} if command == "install" else set())
    if before.startswith("--"):
        return set()
    return {
        "run": papers | tasks,
        "compare": tasks,
        "docs": papers | families,
        "install": {e["paper"] for e in index.known()} - papers,
        "completion": set(SCRIPTS),
        "new": set(),
        "list": set(),
        "doctor": set(),
    }.get(command, papers)


def _starting(typed: str, words: Iterable[str]) -> list[str]:
    return sorted(word for word in words if word.startswith(typed))
