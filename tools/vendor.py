"""Fetches the libraries that the report page carries, by npm and its integrity check. Run by hand when a version is raised.

    python3 tools/vendor.py

They are committed under core/assay/report/assets/vendor as they are published, so that neither a run nor an installation
needs npm or a network. VERSIONS there says what they are.
"""

from __future__ import annotations

import json
import subprocess
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).parents[1] / "core/assay/report/assets/vendor"
LIBRARIES = {"d3": ("7.9.0", "dist/d3.min.js"), "@observablehq/plot": ("0.6.17", "dist/plot.umd.min.js")}
"""Version and file of each npm package. Observable Plot 0.6.17 asks for d3 ^7.9.0."""


def main() -> None:
    """Fetch every library with its licence."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    noted = {}
    for package, (version, file) in LIBRARIES.items():
        with tempfile.TemporaryDirectory() as folder:
            command = ["npm", "pack", "--json", f"{package}@{version}"]
            packed = json.loads(subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout)
            with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                content = {name: _member(archive, name) for name in (file, "LICENSE", "package.json")}
        (VENDOR / Path(file).name).write_bytes(content[file])
        (VENDOR / f"LICENSE-{Path(package).name}").write_bytes(content["LICENSE"])
        licence = json.loads(content["package.json"])["license"]
        row = packed[0] if isinstance(packed, list) else packed[package]
        noted[package] = {"version": version, "licence": licence, "file": file, "integrity": row["integrity"]}
    (VENDOR / "VERSIONS.json").write_text(json.dumps(noted, indent=1) + "\n")


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    found = archive.extractfile(f"package/{name}")
    if found is None:
        raise SystemExit(f"the package has no {name}")
    return found.read()


if __name__ == "__main__":
    main()
