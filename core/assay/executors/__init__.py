"""Ways to run jobs. An executor is a function `(jobs, manager) -> iterator of records`, in any order."""
