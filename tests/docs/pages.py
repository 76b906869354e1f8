"""The pages of the site and the code blocks in them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))


def blocks(page: str, *languages: str) -> list[tuple[str, str]]:
    """Language and text of a page's fenced blocks in some languages, in order."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    return [(language, code) for language, code in found if language in languages]


def pages_with(language: str) -> list[str]:
    """The pages that have blocks in a language."""
    return [page for page in PAGES if blocks(page, language)]
