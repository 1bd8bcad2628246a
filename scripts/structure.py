"""Print figures about the structure of the package: files, lines, functions, classes, imports between its folders.

usage: structure.py [FOLDER], the package's folder; default: tui/mictape. Reads the sources only.
"""

import ast
import sys
from pathlib import Path
from statistics import median

LONG_FUNCTION = 40
MANY_ATTRIBUTES = 12


def attributes(node: ast.ClassDef) -> int:
    """How many attributes the methods of a class set on `self`."""
    return len(
        {
            target.attr
            for target in ast.walk(node)
            if isinstance(target, ast.Attribute)
            and isinstance(target.ctx, ast.Store)
            and isinstance(target.value, ast.Name)
            and target.value.id == "self"
        }
    )


def imported(tree: ast.AST, package: str) -> set[str]:
    """The modules of the package that a file imports, by their dotted path below it."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == package:
            below = node.module.split(".")[1:]
            names |= {".".join(below)} if below else {alias.name for alias in node.names}
    return names


def main() -> None:
    """Measure and print."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "tui/mictape")
    lines: dict[Path, int] = {}
    functions: list[int] = []
    classes: list[int] = []
    edges: set[tuple[str, str]] = set()
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines[path] = text.count("\n")
        tree = ast.parse(text)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append((node.end_lineno or node.lineno) - node.lineno + 1)
            elif isinstance(node, ast.ClassDef):
                classes.append(attributes(node))
        inside = path.relative_to(folder).parts
        here = inside[0] if len(inside) > 1 else ""
        for name in imported(tree, folder.name):
            there = name.split(".")[0] if (folder / name.split(".")[0]).is_dir() else ""
            if there != here:
                edges.add((here, there))
    holding = [count for count in lines.values() if count > 1]
    print(f"files\t{len(lines)}")
    print(f"lines\t{sum(lines.values())}")
    print(f"median file\t{median(holding):.0f}")
    print(f"longest file\t{max(lines.values())}")
    print(f"functions over {LONG_FUNCTION} lines\t{sum(length > LONG_FUNCTION for length in functions)}")
    print(f"longest function\t{max(functions)}")
    print(f"classes with over {MANY_ATTRIBUTES} attributes\t{sum(count > MANY_ATTRIBUTES for count in classes)}")
    print(f"most attributes of a class\t{max(classes)}")
    print(f"import edges between folders\t{len(edges)}")


if __name__ == "__main__":
    main()
