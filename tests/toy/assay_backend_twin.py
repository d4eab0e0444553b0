"""Two backends: the plain CPU under another name, and one that this machine does not have."""

from assay import Backend, hookimpl


def prepare(module):
    return module


@hookimpl
def assay_backends():
    return [Backend("twin", prepare=prepare), Backend("absent", available=lambda: "no such device")]
