"""The study file as text: what its parser passes over in silence, or says without a line."""

import os
from pathlib import Path

import yaml

from mlip_core.utils.errors import UserError


def check_study_file(path: str | os.PathLike[str]) -> None:
    """Make sure that a file is YAML in which no table has a key twice: the last one would count.

    Raises:
        UserError: if not; it names the line.
    """
    path = Path(path)
    try:
        tree = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f"line {mark.line + 1}: " if mark else ""
        raise UserError(f"{path}: {line}not YAML ({error.problem or error.context})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not YAML ({' '.join(str(error).split())})") from None
    problems = [] if tree is None else _repeated_keys(tree)
    if problems:
        raise UserError("\n".join(f"{path}: {problem}" for problem in problems))


def _repeated_keys(tree: yaml.Node) -> list[str]:
    problems: list[tuple[int, str]] = []
    waiting, seen = [tree], {id(tree)}
    while waiting:
        node = waiting.pop()
        lines: dict[str, int] = {}
        for key in _keys(node):
            line = key.start_mark.line + 1
            if key.value in lines:
                first = lines[key.value]
                problems.append((line, f"{key.value!r} is already in line {first}; remove one"))
            lines[key.value] = line
        # What an alias stands for is one node wherever it is.
        below = [child for child in _below(node) if id(child) not in seen]
        seen.update(map(id, below))
        waiting += below
    return [f"line {line}: {problem}" for line, problem in sorted(problems)]


def _keys(node: yaml.Node) -> list[yaml.ScalarNode]:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return [key for key, _ in pairs if isinstance(key, yaml.ScalarNode)]


def _below(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [value for _, value in node.value]
    return node.value if isinstance(node, yaml.SequenceNode) else []
