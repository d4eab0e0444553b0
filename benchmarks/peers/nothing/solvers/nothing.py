import os

from benchopt import BaseSolver


class Solver(BaseSolver):
    name = "nothing"
    sampling_strategy = "run_once"
    parameters = {"seed": list(range(int(os.environ.get("CELLS", "10"))))}  # noqa: RUF012 - as benchopt wants it

    def set_objective(self, data):
        self.data = data

    def run(self, _):
        pass

    def get_result(self):
        return {"value": self.data}
