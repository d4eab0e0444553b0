"""The plugins here are what the conformance kit's own tests copy and break; they are not tests of assay."""

collect_ignore_glob = ["*"]
