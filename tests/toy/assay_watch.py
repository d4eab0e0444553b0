"""A tracker and a profiler: keeps what it was told in lists."""

from assay import hookimpl

started, finished, wrapped = [], [], []


@hookimpl
def assay_cell_started(cell):
    started.append(cell)


@hookimpl
def assay_cell_finished(cell, record):
    finished.append((cell, record))


@hookimpl(wrapper=True)
def assay_run_cell(cell, ctx):
    record = yield
    wrapped.append((cell, record))
    return record
