"""Write the pages that are made from the code, or with ``--check`` tell whether they are current.

``docs/cli.md`` has the commands with their options, ``docs/names.md`` every string that is read or written.
"""

import ast
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from agentnet_otel import cli, semconv

ROOT = Path(__file__).resolve().parent.parent
GENERATED = "<!-- Made by `make docs`; change the code instead. -->"
SECTION = re.compile(r"# --- (.+?) -+$")


def commands_page() -> str:
    """The commands, each with what its help says."""
    lines = ["# Commands", "", GENERATED, "", "What each command is for is told in [the guide](guide.md).", ""]
    program = click.Context(cli.app, info_name="", **cli.app.context_settings)
    found = {context.command_path.strip(): context for context in contexts(program)}
    for name, context in sorted(found.items()):
        lines += [f"## {name}", "", *paragraphs(inspect.cleandoc(context.command.help or ""))]
        lines += ["| | | default |", "|---|---|---|", *parameters(context), ""]
    return "\n".join(lines)


def contexts(within: click.Context) -> Iterator[click.Context]:
    """Each command, with what it is called by."""
    if not isinstance(within.command, click.Group):
        yield within
        return
    for name in within.command.list_commands(within):
        command = within.command.get_command(within, name)
        if command is not None:
            yield from contexts(click.Context(command, parent=within, info_name=name))


def paragraphs(help_text: str) -> Iterator[str]:
    """The help; the example as code."""
    for paragraph in help_text.split("\n\n"):
        text = " ".join(paragraph.split())
        example = text.removeprefix("Example: ")
        yield from (["```console", f"$ {example}", "```", ""] if example != text else [text, ""])


def parameters(context: click.Context) -> Iterator[str]:
    """Rows of a table: arguments and options."""
    for parameter in context.command.params:
        words, default = [parameter.make_metavar(context)], ""
        if isinstance(parameter, click.Option):
            taken = "" if parameter.is_flag else f" {words[0].strip('[]').replace('|', '/')}"
            words = [f"{word}{taken}" for word in parameter.opts]
            default = "" if parameter.is_flag else parameter.get_help_extra(context).get("default", "")
        shown = ", ".join(f"`{word}`" for word in words)
        yield f"| {shown} | {escaped(parameter.help or '')} | {f'`{default}`' if default else ''} |"


def names_page() -> str:
    """Every string of semconv.py, section by section."""
    lines = ["# Names", "", GENERATED, "", "Every string that agentnet-otel writes or reads, as `semconv.py` has it."]
    lines += ["What the attributes that it writes mean stands in [attributes.md](attributes.md)."]
    source = inspect.getsource(semconv)
    sections = {number: match[1] for number, line in enumerate(source.splitlines()) if (match := SECTION.match(line))}
    sections[0] = "the instrumentation scope"
    begun = None
    for line_number, name, note in constants(ast.parse(source).body):
        section = sections[max(number for number in sections if number < line_number)]
        if section != begun:
            lines += ["", f"## {section[0].upper()}{section[1:]}", "", "| name | in semconv.py | |", "|---|---|---|"]
            begun = section
        lines.append(f"| `{getattr(semconv, name)}` | `{name}` | {escaped(note)} |")
    return "\n".join(lines)


def constants(body: list[ast.stmt]) -> Iterator[tuple[int, str, str]]:
    """Line, name and docstring of each text."""
    for node, following in zip(body, [*body[1:], ast.Pass()], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            if isinstance(getattr(semconv, name), str):
                yield node.lineno, name, note_in(following)


def note_in(statement: ast.stmt) -> str:
    """The text of a docstring; nothing if the statement is none."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return " ".join(str(statement.value.value).replace("``", "`").split())
    return ""


def escaped(text: str) -> str:
    """Text in a cell of a table."""
    return text.replace("|", "\\|")


PAGES: dict[str, Callable[[], str]] = {"docs/cli.md": commands_page, "docs/names.md": names_page}


def main() -> int:
    """Write or check."""
    check = "--check" in sys.argv[1:]
    stale = []
    for name, make in PAGES.items():
        path, text = ROOT / name, make().rstrip("\n") + "\n"
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"not current: {', '.join(stale)}. Run `make docs` and commit the result.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
