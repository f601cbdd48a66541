"""Which cells of a notebook a cell builds on: those that set what it uses, and those that these build on."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

Names = set[str]

# Methods that change what they belong to; others make something new, which is shown or has a name.
CHANGING = {"add", "append", "extend", "insert", "update"}


def cells_behind(sources: Sequence[str]) -> list[set[int]]:
    """For each cell, given by its code, the places of the cells that it builds on, itself among them.

    A cell builds on the last one before it that sets a name which it uses, and on those before that one too which may
    have: one that sets a name in a branch only, or changes what stands behind it. Imported names lead nowhere.
    """
    flows = [_Flow(source) for source in sources]
    imported = set[str]().union(*(flow.imported for flow in flows))
    behind: list[set[int]] = []
    for place, flow in enumerate(flows):
        found = {place}
        for name in flow.uses - imported:
            for earlier in range(place - 1, -1, -1):
                if name in flows[earlier].sets | flows[earlier].changes:
                    found |= behind[earlier]
                if name in flows[earlier].sets:
                    break
        behind.append(found)
    return behind


class _Flow(ast.NodeVisitor):
    """What the code of one cell uses from before, sets whatever happens, and perhaps changes."""

    def __init__(self, source: str) -> None:
        self.uses: Names = set()
        self.sets: Names = set()
        self.changes: Names = set()
        self.imported: Names = set()
        # Lines for IPython, such as %matplotlib, are no Python.
        self.visit(ast.parse("\n".join("" if line[:1] in {"%", "!"} else line for line in source.split("\n"))))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.sets.add(node.id)
        elif node.id not in self.sets:
            self.uses.add(node.id)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._all([node.value, *node.targets])

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        self._all([part for part in (node.value, node.target) if part is not None])

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self._all([node.value, node.target])

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name) and node.target.id not in self.sets:
            self.uses.add(node.target.id)
        self._all([node.value, node.target])

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Store):
            self._change(node)
        self.generic_visit(node)

    visit_Attribute = visit_Subscript  # noqa: N815

    def visit_Expr(self, node: ast.Expr) -> None:
        called = node.value.func if isinstance(node.value, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in CHANGING:
            self._change(called)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.imported |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}

    visit_ImportFrom = visit_Import  # noqa: N815

    def visit_For(self, node: ast.For) -> None:
        self._all([node.iter, node.target])
        self._branches(node.body, node.orelse)

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._branches(node.body, node.orelse)

    def visit_If(self, node: ast.If) -> None:
        self.visit(node.test)
        self._branches(node.body, node.orelse)

    def visit_Try(self, node: ast.Try) -> None:
        self._branches(node.body, *(handler.body for handler in node.handlers), node.orelse)
        self._all(node.finalbody)

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        outside = set(self.sets)
        for generator in node.generators:
            self._all([generator.iter, generator.target, *generator.ifs])
        self._all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self.sets = outside

    visit_SetComp = visit_GeneratorExp = visit_DictComp = visit_ListComp  # noqa: N815

    def visit_Lambda(self, node: ast.Lambda) -> None:
        outside = set(self.sets)
        self.sets |= {argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)}
        self.visit(node.body)
        self.sets = outside

    def _all(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            self.visit(node)

    def _branches(self, *branches: list[ast.stmt]) -> None:
        """Visit what may be run or not: only what every branch sets is set for sure."""
        before, after = set(self.sets), []
        for branch in branches:
            self.sets = set(before)
            self._all(branch)
            after.append(self.sets)
        self.changes |= set().union(*after) - before
        self.sets = set.intersection(*after)

    def _change(self, target: ast.AST) -> None:
        """What stands behind the name at the root of ``target`` is changed."""
        while isinstance(target, ast.Subscript | ast.Attribute | ast.Call):
            target = target.func if isinstance(target, ast.Call) else target.value
        if isinstance(target, ast.Name):
            self.changes.add(target.id)
