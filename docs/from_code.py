"""What the site takes from the code: public names with docstrings, commands, names of metrics."""

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any

import typer
from pydantic import BaseModel
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mlip_core.cli.main import app as command_line
from mlip_core.evaluation.definitions import DEFINITIONS
from mlip_core.study.descriptions import describe_field

HELP_WIDTH = 96
BEFORE_NAPOLEON = 400


class PublicNames(SphinxDirective):
    """A section for each of some modules, and for each package below them that exports names.

    What a package exports is described once, in the innermost package that holds it.
    """

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[Any]:
        """The sections."""
        sections = "\n".join(
            section(module)
            for name in self.arguments[0].split()
            for module in (name, *exporting_packages(name))
        )
        return self.parse_text_to_nodes(sections, allow_section_headings=True)


class CommandLine(SphinxDirective):
    """A section for each command of ``mlip-core``, with the help that it prints."""

    def run(self) -> list[Any]:
        """The sections."""
        return self.parse_text_to_nodes(help_pages(), allow_section_headings=True)


class MetricDefinitions(SphinxDirective):
    """The names in ``metrics.json`` and their meaning."""

    def run(self) -> list[Any]:
        """A list."""
        items = [f"- `{name}`: {meaning}" for name, meaning in DEFINITIONS.items()]
        return self.parse_text_to_nodes("\n".join(items))


def exporting_packages(name: str) -> Iterator[str]:
    """The packages below one that export names."""
    for found in walk_packages(getattr(import_module(name), "__path__", []), f"{name}."):
        if found.ispkg and hasattr(import_module(found.name), "__all__"):
            yield found.name


def section(name: str) -> str:
    """The public names of a module, in Markdown."""
    module = import_module(name)
    exported = getattr(module, "__all__", [])
    elsewhere = [each for each in exported if not is_described_in(name, getattr(module, each))]
    excluded = f"\n   :exclude-members: {', '.join(elsewhere)}" if elsewhere else ""
    text = f"## `{name}`\n\n```{{eval-rst}}\n.. automodule:: {name}{excluded}\n```\n\n"
    return text + f"Also exported here: `{'`, `'.join(elsewhere)}`.\n" if elsewhere else text


def is_described_in(package: str, thing: Any) -> bool:
    """Whether a package is the innermost exporting one around the module that defines something."""
    home = getattr(thing, "__module__", package)
    inner = (name for name in exporting_packages(package) if f"{home}.".startswith(f"{name}."))
    return f"{home}.".startswith(f"{package}.") and next(inner, None) is None


def help_pages() -> str:
    """What ``mlip-core --help`` and ``mlip-core COMMAND --help`` print, in Markdown."""
    program: Any = typer.main.get_command(command_line)
    settings = {**program.context_settings, "terminal_width": HELP_WIDTH}
    top = program.context_class(program, info_name="mlip-core", **settings)
    pages = {"mlip-core": program.get_help(top)}
    for name, command in program.commands.items():
        context = command.context_class(command, info_name=name, parent=top, **settings)
        pages[f"mlip-core {name}"] = command.get_help(context)
    return "\n\n".join(f"## `{title}`\n\n```text\n{text}\n```" for title, text in pages.items())


def shorten_signature(
    _app: Sphinx, _what: str, _name: str, thing: Any, _options: Any, signature: str, result: str
) -> tuple[str, str] | None:
    """Leave out that of configs, whose fields are listed, and what Flax adds to networks."""
    if is_config(thing):
        return "", ""
    return signature and (re.sub(r", parent: .*\)$", ")", signature), result)


def list_fields(
    _app: Sphinx, _what: str, _name: str, thing: Any, _options: Any, lines: list[str]
) -> None:
    """Add the fields of a config that its docstring does not list."""
    if is_config(thing) and "Attributes:" not in lines:
        fields = [f"    {name}: {describe_field(thing, name)}" for name in thing.model_fields]
        lines += ["", "Attributes:", *fields, ""]


def skip_machinery(
    _app: Sphinx, _what: str, name: str, thing: Any, _skip: bool, _options: Any
) -> bool | None:
    """Leave out what pydantic and named tuples bring, and validators."""
    is_field = (inspect.getdoc(thing) or "").startswith("Alias for field number")
    return True if is_field or name.startswith(("model_config", "validate_")) else None


def link_to_pages(_app: Sphinx, _document: str, content: list[str]) -> None:
    """Turn links to files outside of the site that are pages of it into links to these."""
    content[0] = content[0].replace("](../config/README.md)", "](reference/config.md)")


def is_config(thing: Any) -> bool:
    """Whether it is a class of pydantic."""
    return inspect.isclass(thing) and issubclass(thing, BaseModel)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("public-names", PublicNames)
    app.add_directive("command-line", CommandLine)
    app.add_directive("metric-definitions", MetricDefinitions)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("autodoc-process-docstring", list_fields, priority=BEFORE_NAPOLEON)
    app.connect("autodoc-skip-member", skip_machinery)
    app.connect("source-read", link_to_pages)
    return {"parallel_read_safe": True}
