"""`assay show PAPER`."""

from __future__ import annotations

import argparse

HELP = "show a paper: its entrants and claims"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("paper")


def run(args: argparse.Namespace) -> int:
    """Show a paper, as far as can be told with what is installed."""
    from assay import catalog, doctor

    found = catalog.Catalog()
    plugin = found.plugin(args.paper)
    print(
        f"{plugin.title}\n{plugin.name} {plugin.version}, family {plugin.family}, tasks {', '.join(plugin.having('task'))}"
    )
    reason = doctor.missing(plugin)
    if reason:
        print(f"claims: {', '.join(plugin.having('claim'))}\n(to run it: {reason})")
        return 0
    found.load(tasks=plugin.having("task"))
    paper = found.paper(args.paper)
    print(f"{paper.year}{f', arXiv:{paper.arxiv}' if paper.arxiv else ''}\n")
    for (task, name), model in found.models.items():
        if found.origins.get(("model", (task, name))) == plugin.name:
            extra = f", ablates {model.ablates}" if model.ablates else ""
            print(f"entrant  {name}  ({task}{extra})")
    for claim in paper.claims:
        print(
            f"\nclaim    {claim.id}: {claim.says}\n         {claim.check}\n         refuted by: {claim.check.refuted_by()}"
        )
        if claim.published:
            print(f"         published: {claim.published}")
    return 0
