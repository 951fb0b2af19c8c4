"""Builds the documents strictly, and holds that no page of them fetches anything from a network.

python docs/build.py [site]
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parent.parent
# What a browser fetches by itself: not links, which a reader follows or not.
FETCHES = re.compile(
    r"<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\"'>\s]+"
    r"|<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|preload|preconnect|icon|modulepreload))[^>]*\bhref=[\"']?(?:https?:)?//[^>]+"
    r"|(?:url\(|@import )[\"']?(?:https?:)?//[^)\"']+",
    re.IGNORECASE,
)


def fetched(site: pathlib.Path) -> list[str]:
    """What pages and styles would fetch from elsewhere, each with its file."""
    files = [path for path in sorted(site.rglob("*")) if path.suffix in (".html", ".css", ".svg")]
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in files}
    found = ((path, one) for path, text in texts.items() for one in FETCHES.findall(text))
    return [f"{path.relative_to(site)}: {one[:120]}" for path, one in found]


def main() -> int:
    """Build, then look."""
    site = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "site").resolve()
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", site], cwd=ROOT, check=False
    )
    if built.returncode:
        return built.returncode
    found = fetched(site)
    print("\n".join(found) or f"{site}: no page fetches anything")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
