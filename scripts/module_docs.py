"""Writes the inputs and outputs into the README.md of each Terraform module.

Usage: module_docs.py [--check]

The tables stand between two comments and come from variables.tf and outputs.tf, which `terraform
fmt` keeps in one form. With --check nothing is written, and the exit status is 1 if a README is out
of date.
"""

import re
import sys
from pathlib import Path

MODULES = Path(__file__).resolve().parents[1] / "infraestructure-terraform" / "modules"
START, END = "<!-- generated from variables.tf and outputs.tf -->", "<!-- end -->"

_BLOCK = re.compile(r'^(?:variable|output) "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)


def read_attribute(block: str, name: str) -> str:
    """Returns the value of an attribute of a variable or output; "" if the block has none."""
    match = re.search(rf"^  {name} += ((?:.|\n)*?)(?=^  \w|\n*\Z|\n\n)", block, re.MULTILINE)
    return re.sub(r"\s+", " ", match[1]).strip() if match else ""


def format_table(heads: list[str], rows: list[list[str]]) -> str:
    """Returns a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def format_tables(module: Path) -> str:
    """Returns the inputs and outputs of a module, in the order of its files."""
    inputs, outputs = (
        _BLOCK.findall((module / name).read_text("utf-8"))
        for name in ("variables.tf", "outputs.tf")
    )
    parts = [
        "## Inputs",
        format_table(
            ["name", "description", "type", "default"],
            [
                [
                    f"`{name}`",
                    read_attribute(block, "description").strip('"').replace("*", r"\*"),
                    f"`{read_attribute(block, 'type')}`",
                    f"`{default}`" if (default := read_attribute(block, "default")) else "required",
                ]
                for name, block in inputs
            ],
        ),
        "## Outputs",
        format_table(
            ["name", "description"],
            [
                [f"`{name}`", read_attribute(block, "description").strip('"')]
                for name, block in outputs
            ],
        ),
    ]
    return "\n\n".join(parts)


def render_readme(module: Path) -> str:
    """Returns the README.md of a module with its present tables."""
    text = (module / "README.md").read_text("utf-8")
    return f"{text.partition(START)[0]}{START}\n\n{format_tables(module)}\n\n{END}\n"


def find_outdated() -> list[Path]:
    """Returns the README.md files whose tables differ from the module."""
    return [
        module / "README.md"
        for module in sorted(MODULES.iterdir())
        if (module / "README.md").read_text("utf-8") != render_readme(module)
    ]


def main() -> int:
    """Writes or checks the files; returns the exit status."""
    paths = find_outdated()
    for path in paths:
        print(path.relative_to(MODULES.parents[1]))
        if "--check" not in sys.argv:
            path.write_text(render_readme(path.parent), "utf-8")
    return int("--check" in sys.argv and bool(paths))


if __name__ == "__main__":
    sys.exit(main())
