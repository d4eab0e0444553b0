"""The pages that asv publishes, made to work without a network and without a server.

What they load from elsewhere is put beside them. A browser that opens a page from a file refuses to let it read other
files, so what the pages read is put into a script as well, which is loaded in that case only.
"""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
import tempfile
from pathlib import Path

from assay.errors import AssayError
from assay.tracking.checkout import asv, root

PACKAGES = {
    "jquery-3.3.1.min.js": ("jquery@3.3.1", "dist/jquery.min.js"),
    "jquery.flot.min.js": ("flot@0.8.3", "jquery.flot.js"),
    "jquery.flot.time.min.js": ("flot@0.8.3", "jquery.flot.time.js"),
    "jquery.flot.selection.min.js": ("flot@0.8.3", "jquery.flot.selection.js"),
    "jquery.flot.categories.min.js": ("flot@0.8.3", "jquery.flot.categories.js"),
    "jquery.flot.orderBars.js": ("flot-orderbars@1.0.0", "js/jquery.flot.orderBars.js"),
    "stupidtable.min.js": ("stupid-table-plugin@1.1.3", "stupidtable.js"),
    "md5.min.js": ("blueimp-md5@2.19.0", "js/md5.min.js"),
    "bootstrap.min.js": ("bootstrap@3.1.1", "dist/js/bootstrap.min.js"),
    "bootstrap.min.css": ("bootstrap@3.1.1", "dist/css/bootstrap.min.css"),
}
"""File that asv's pages ask for: the npm package that has it, and where."""


FROM_FILES = """<script>
if (location.protocol === "file:") { document.write('<script src="vendor/data.js"><\\/script>'); }
</script>
"""
"""Put behind jQuery in the page."""
READ = """;(function () {
  var ajax = $.ajax;
  $.ajax = function (options) {
    var name = options.url.split("?")[0];
    [name, decodeURIComponent(name)].forEach(function (n) { if (n in FILES) { name = n; } });
    if (!(name in FILES)) { return ajax.apply(this, arguments); }
    var answer = $.Deferred();
    setTimeout(function () { answer.resolve(FILES[name]); }, 0);  // later, as from a server: pages are set up meanwhile
    return answer.promise();
  };
})();
"""
"""Has asv's pages read what FILES holds, and ask for nothing else that it has."""


def publish() -> Path:
    """Have asv write its pages, vendor what they load, and return the path of the index."""
    if asv("publish", "--no-pull").returncode:
        raise AssayError("asv could not publish: see above")
    pages = root() / ".asv" / "html"
    vendor(pages)
    embed(pages)
    return pages / "index.html"


def vendor(pages: Path) -> None:
    """Put every file that index.html loads from elsewhere into `vendor/` and point the page there."""
    index = pages / "index.html"
    text = index.read_text(encoding="utf-8")
    folder, cache = pages / "vendor", pages.parent / "vendor"
    folder.mkdir(exist_ok=True)
    for tag in re.findall(r"<(?:script|link)[^>]*https?://[^>]*>", text):
        name = re.search(r"https?://[^\"]*/([^\"/]+)\"", tag)
        if name is None or name[1] not in PACKAGES:
            raise AssayError(f"this version of asv loads a file that assay does not know: {tag[:120]}")
        (folder / name[1]).write_bytes(_file(*PACKAGES[name[1]], cache))
        kind = "href" if tag.startswith("<link") else "src"
        rel = ' rel="stylesheet"' if kind == "href" else ""
        text = text.replace(tag, f'<{tag[1:].split()[0]}{rel} {kind}="vendor/{name[1]}">')
    index.write_text(text, encoding="utf-8")


def embed(pages: Path) -> None:
    """Write all that the pages read into `vendor/data.js` and have index.html load it when it is opened as a file."""
    files = {file.relative_to(pages).as_posix(): json.loads(file.read_text()) for file in sorted(pages.rglob("*.json"))}
    files["swallow.ico"] = ""  # what asv asks for to tell a lost server from a graph that does not exist
    (pages / "vendor" / "data.js").write_text(f"var FILES = {json.dumps(files)};\n{READ}", encoding="utf-8")
    index = pages / "index.html"
    head, jquery, rest = index.read_text(encoding="utf-8").partition(
        '<script src="vendor/jquery-3.3.1.min.js"></script>'
    )
    if not jquery:
        raise AssayError("this version of asv loads another jQuery than assay knows: its pages need a server")
    index.write_text(f"{head}{jquery}\n{FROM_FILES}{rest}", encoding="utf-8")


def _file(package: str, path: str, cache: Path) -> bytes:
    """Return a file of an npm package, fetched once into the cache."""
    kept = cache / package / path
    if not kept.exists():
        with tempfile.TemporaryDirectory() as scratch:
            try:
                packed = subprocess.run(
                    ["npm", "pack", "--silent", package], cwd=scratch, capture_output=True, text=True
                )
            except FileNotFoundError:
                raise AssayError("publishing needs npm (Node.js) once, to fetch what asv's pages load") from None
            if packed.returncode:
                raise AssayError(f"npm could not fetch {package}: {packed.stderr.strip()[-200:]}")
            (archive,) = Path(scratch).glob("*.tgz")
            with tarfile.open(archive) as tar:
                member = tar.extractfile(f"package/{path}")
                assert member is not None
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.write_bytes(member.read())
    return kept.read_bytes()
