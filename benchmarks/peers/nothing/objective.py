from benchopt import BaseObjective


class Objective(BaseObjective):
    name = "nothing"
    min_benchopt_version = "1.5"
    sampling_strategy = "run_once"

    def set_data(self, value):
        self.value = value

    def evaluate_result(self, value):
        return {"value": value}

    def get_one_result(self):
        return {"value": 0.5}

    def get_objective(self):
        return {"data": self.value}
