"""Pages from templates."""

from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from mlip_core.utils.files import write_text

_PACKAGE = "mlip_core.report"
_ASSETS = ("style.css", "page.js")


def write_page(path: Path, template: str, **values: Any) -> None:
    """Write a page or a card; in pages, names and texts from files are escaped."""
    made_by = f"Made by mlip_core {version('mlip-core')}. Opens without a network."
    text = _environment().get_template(template).render(made_by=made_by, **values)
    write_text(path, text + "\n")


def write_assets(directory: Path) -> None:
    """Write the style and the script that all pages share."""
    for name in _ASSETS:
        source = files(_PACKAGE) / "templates" / name
        write_text(directory / "assets" / name, source.read_text(encoding="utf-8"))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
