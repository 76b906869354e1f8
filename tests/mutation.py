"""Mutation testing of losses, statistics and metrics: is there a test that fails when one is wrong?

``python -m tests.mutation`` changes one operator, comparison, condition or number at a time, in
memory only, and runs the tests of the module that it stands in. Changes that no test notices are
printed: behaviour that nobody checks, or a change that makes no difference.
"""

import argparse
import ast
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).parents[1]

# What is mutated, and the tests that should notice, the fastest first.
SUBJECTS = {
    "mlip_core.data.helpers.atomic_energies": ["data/helpers/test_atomic_energies.py"],
    "mlip_core.data.helpers.neighbor_analysis": ["data/helpers/test_neighbor_analysis.py"],
    "mlip_core.data.statistics": ["data/test_statistics.py"],
    "mlip_core.evaluation.bootstrap": ["evaluation/test_metrics.py"],
    "mlip_core.evaluation.metrics": ["evaluation/test_metrics.py"],
    "mlip_core.models.loss": ["models/test_loss.py"],
    "mlip_core.models.loss_helpers": [
        "models/test_loss.py",
        "training/test_missing_labels.py",
    ],
    "mlip_core.training.metric_sums": [
        "training/test_metric_sums.py",
        "training/test_missing_labels.py",
    ],
    "mlip_core.training.metrics_reweighting": ["training/test_metrics_reweighting.py"],
}

# Children of one process share what these take to import.
SHARED_IMPORTS = ("jax.numpy", "jraph", "optax", "orbax.checkpoint", "pandas", "pytest", "ase.io")

LONGEST_SECONDS = 300
"""After which a mutant counts as noticed: it may never end."""

_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.USub: ast.UAdd,
}


@dataclass(frozen=True)
class Mutant:
    """One change of a module.

    Attributes:
        module: full name of the module.
        place: file and line.
        change: the expression before and after.
        tree: the changed module.
    """

    module: str
    place: str
    change: str
    tree: ast.Module


def mutants(module: str) -> Iterator[Mutant]:
    """All mutants of a module, in the order of its lines."""
    spec = find_spec(module)
    assert spec is not None
    path = Path(str(spec.origin))
    source = path.read_text(encoding="utf-8")
    for index in range(len(list(_sites(ast.parse(source))))):
        tree = ast.parse(source)
        node = list(_sites(tree))[index]
        before = _shown(node)
        _mutate(node)
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        yield Mutant(module, place, f"{before}  →  {_shown(node)}", tree)


def _sites(tree: ast.Module) -> Iterator[Any]:
    """Where a module can be changed; annotations and what is in them are left alone."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if _is_site(node):
            yield node
        children = [
            child
            for field, value in ast.iter_fields(node)
            if field not in ("annotation", "returns", "decorator_list")
            for child in (value if isinstance(value, list) else [value])
            if isinstance(child, ast.AST)
        ]
        pending += reversed([child for child in children if not _is_left_alone(node, child)])


def _shown(node: ast.AST) -> str:
    return ast.unparse(node.test if isinstance(node, ast.If) else node)


def _is_site(node: ast.AST) -> bool:
    match node:
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) | ast.Compare(ops=[op]):
            return type(op) in _OTHER
        case ast.UnaryOp(op=op):
            return type(op) is not ast.UAdd
        case ast.If(test=test) | ast.IfExp(test=test):
            return (
                not isinstance(test, ast.Compare | ast.BoolOp | ast.UnaryOp)
                and ast.unparse(test) != "TYPE_CHECKING"
            )
        case ast.Constant(value=value):
            return isinstance(value, bool | int | float)
    return False


def _is_left_alone(parent: ast.AST, child: ast.AST) -> bool:
    """Whether this is the type in an alias such as ``Weight = float | None``, or an assertion.

    ``strict=True`` of a ``zip`` is one.
    """
    if isinstance(child, ast.Assert) or (isinstance(child, ast.keyword) and child.arg == "strict"):
        return True
    if not isinstance(parent, ast.Assign) or child is not parent.value:
        return False
    return isinstance(child, ast.Subscript) or (
        isinstance(child, ast.BinOp) and isinstance(child.op, ast.BitOr)
    )


def _mutate(node: Any) -> None:
    match node:
        case ast.BinOp() | ast.AugAssign() | ast.BoolOp():
            node.op = _OTHER[type(node.op)]()
        case ast.Compare():
            node.ops = [_OTHER[type(node.ops[0])]()]
        case ast.UnaryOp(op=ast.USub()):
            node.op = ast.UAdd()
        case ast.UnaryOp():  # "not x" and "~x" become "not not x" and "~~x"
            node.operand = ast.UnaryOp(node.op, node.operand)
        case ast.If() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant():
            node.value += 1
    ast.fix_missing_locations(node)


class _Loader(SourceFileLoader):
    """Executes other code than what the file holds."""

    def __init__(self, module: str, path: str, code: CodeType) -> None:
        super().__init__(module, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        return self._code


@dataclass(frozen=True)
class _Finder(MetaPathFinder):
    """Finds one module changed."""

    mutant: Mutant

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target)
        if fullname != self.mutant.module or spec is None:
            return None
        origin = str(spec.origin)
        spec.loader = _Loader(fullname, origin, compile(self.mutant.tree, origin, "exec"))
        return spec


def _start(mutant: Mutant) -> int:
    """Run the tests with a mutant in a process of their own; its number."""
    if child := os.fork():
        return child
    signal.alarm(LONGEST_SECONDS)
    sys.meta_path.insert(0, _Finder(mutant))
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    import pytest

    tests = [str(ROOT / "tests" / name) for name in SUBJECTS[mutant.module]]
    os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])))


def survivors(chosen: list[Mutant], jobs: int) -> Iterator[Mutant]:
    """The mutants that no test notices, as soon as that is known."""
    running: dict[int, Mutant] = {}
    waiting = list(reversed(chosen))
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            running[_start(mutant)] = mutant
        child, status = os.wait()
        mutant = running.pop(child)
        if status == 0:
            yield mutant


def main() -> int:
    """Status 1 if the tests fail without any change, which would make all else meaningless."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only modules whose name contains one of these")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    options = parser.parse_args()
    modules = [name for name in SUBJECTS if any(word in name for word in options.words or [""])]
    os.environ["JAX_PLATFORMS"] = "cpu"
    for name in SHARED_IMPORTS:
        __import__(name)
    unchanged = [Mutant(name, "unchanged", name, _tree(name)) for name in modules]
    if len(list(survivors(unchanged, options.jobs))) < len(unchanged):
        print("the tests fail without any change: run pytest first")
        return 1
    chosen = [mutant for name in modules for mutant in mutants(name)]
    total = Counter(mutant.module for mutant in chosen)
    survived: Counter[str] = Counter()
    for mutant in survivors(chosen, options.jobs):
        survived[mutant.module] += 1
        print(f"{mutant.place}: {mutant.change}", flush=True)
    for name in modules:
        print(f"{name}: {total[name] - survived[name]} of {total[name]} noticed")
    return 0


def _tree(module: str) -> ast.Module:
    spec = find_spec(module)
    assert spec is not None
    return ast.parse(Path(str(spec.origin)).read_text(encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
