"""The conformance kit: what a good plugin looks like, as checks that run. `runner` applies them, `assay check` prints."""
