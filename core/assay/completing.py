"""What can follow on a command line, from the parser and the metadata of plugins alone: no plugin is imported.

`assay completion bash|zsh|fish` prints a script that asks `assay complete -- WORD...` at each press of the tab key. Where
nothing is offered, the shell completes names of files.
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
    found=(${found:#})
    if (( $#found )); then compadd -a found; else _files; fi
}
if [ "$funcstack[1]" = "_assay" ]; then
    _assay "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
    compdef _assay assay
fi
""",
    "fish": """\
function __assay_complete
    set -l before (commandline -opc)
    set -e before[1]
    set -l typed (commandline -ct)
    set -l found (assay complete -- $before "$typed" 2>/dev/null)
    if test -n "$found"
        printf '%s\\n' $found
    else
        __fish_complete_path "$typed"
    end
end
complete -c assay -f -a '(__assay_complete)'
""",
}
"""One for each shell. That of zsh can also be a file `_assay` in a folder of `$fpath`."""


def candidates(words: Sequence[str], parser: argparse.ArgumentParser, within: str = "") -> list[str]:
    """Return what the last of the words can become.

    Args:
        words: Those after `assay`, the last one unfinished.
        parser: Of the command line.
        within: The command whose own commands are meant, as in `track`.
    """
    commands = _commands(parser)
    if len(words) <= 1:
        return _starting(words[-1] if words else "", commands)
    if words[0] not in commands:
        return []
    parser = commands[words[0]]
    if _commands(parser):
        return candidates(words[1:], parser, words[0])
    return _arguments(f"{within} {words[0]}".strip(), _apart(words[1:]), parser)


def _apart(words: Sequence[str]) -> list[str]:
    """Return words without the `=` that bash makes a word of its own: `--scale = sm`."""
    *before, last = words
    return [*(word for word in before if word != "="), "" if last == "=" else last]


def _arguments(command: str, words: Sequence[str], parser: argparse.ArgumentParser) -> list[str]:
    """Return what the last of a command's words can become."""
    *before, typed = words
    options = {option: action for action in parser._actions for option in action.option_strings}
    name, equals, value = typed.partition("=")
    if equals and name in options:
        return [f"{name}={word}" for word in _values(options[name], name, command, before, value)]
    if typed.startswith("-"):
        return _starting(typed, (option for option in options if option.startswith("--")))
    last = before[-1] if before else ""
    if last in options and options[last].nargs != 0:
        return _values(options[last], last, command, before, typed)
    choices = [str(c) for action in parser._actions if not action.option_strings for c in action.choices or ()]
    return _starting(typed, choices or _ids(command))


def _values(action: argparse.Action, option: str, command: str, before: Sequence[str], typed: str) -> list[str]:
    """Return what the value of an option can become, the last of several with commas between them."""
    head, comma, last = typed.rpartition(",")
    found = map(str, action.choices) if action.choices else _ids_of_option(option, command, before)
    return [head + comma + word for word in _starting(last, found)]


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def _ids(command: str) -> set[str]:
    """Return the ids that a command takes: papers, tasks or families."""
    from assay import catalog, index

    plugins = catalog.installed()
    papers = {p.paper for p in plugins if p.paper}
    tasks = {task for p in plugins for task in p.having("task")}
    if command == "install":
        return {entry["paper"] for entry in index.known()} - papers
    taken = {
        "run": papers | tasks,
        "compare": tasks,
        "export": tasks,
        "docs": papers | {p.family for p in plugins if p.family},
    }
    return taken.get(command, papers if command in ("show", "verify", "power", "check", "uninstall") else set())


def _ids_of_option(option: str, command: str, before: Sequence[str]) -> set[str]:
    """Return the ids that an option takes; entrants and data sets are those of the tasks and papers named before it."""
    from assay import catalog, index

    plugins = catalog.installed()
    known = index.known() if command == "install" else []
    if option == "--family":
        return {p.family for p in plugins if p.family} | {entry["family"] for entry in known}
    if option == "--task":
        return {t for p in plugins for t in p.having("task")} | {t for entry in known for t in entry["tasks"]}
    if option == "--papers":
        return {p.paper for p in plugins if p.paper}
    if option == "--to":
        from assay.commands.export import BOARDS, RECORDS

        return {*RECORDS, *BOARDS}
    if option == "--backend":
        return {"cpu", *(backend for p in plugins for backend in p.having("backend"))} if command != "new" else set()
    kind = {"--entrants": "model", "--datasets": "dataset", "--dataset": "dataset"}.get(option)
    if kind is None or command == "new":
        return set(FIXED.get(option, ()))
    named = {*before, *(task for p in plugins if p.paper in before for task in p.having("task"))}
    places = (place.rpartition("/") for p in plugins for place in p.having(kind))
    return {name for task, _, name in places if task in named}


FIXED = {"--scale": ("smoke", "small", "full"), "--executor": ("inline", "pool", "dask")}


def _starting(typed: str, words: Iterable[str]) -> list[str]:
    return sorted(word for word in words if word.startswith(typed))
