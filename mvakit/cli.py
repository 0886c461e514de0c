"""The command line: ``mvakit methods``, ``gui``, ``report``, ``plots``, ``info``, ``demo``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mvakit.errors import MvakitError

if TYPE_CHECKING:
    from mvakit.description import Description

__all__ = ["main"]


class _Group(click.Group):
    """Ends a user's mistake with one line and exit status 1, never with a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except MvakitError as error:
            click.secho(f"mvakit: {error}", fg="red", err=True)
            sys.exit(1)
        except KeyboardInterrupt:
            click.secho("mvakit: stopped", fg="red", err=True)
            sys.exit(130)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mvakit")
def main() -> None:
    """TMVA's workflow without ROOT."""


@main.command()
@click.argument("name", required=False)
def methods(name: str | None) -> None:
    """List the methods, those that can be trained before those that apply files alone, or the options of the method NAME."""
    from mvakit.registry import method_class, method_names

    if name is None:
        found: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
        for known in method_names():
            try:
                method = method_class(known)
            except MvakitError as error:
                found[False].append((known, f"({error})"))
            else:
                found[method.capabilities.trainable].append((known, (method.__doc__ or "").strip().partition("\n")[0]))
        for trainable, title in ((True, "Trained and applied:"), (False, "Applied from weight files:")):
            if found[trainable]:
                click.echo(title)
            for known, doc in found[trainable]:
                click.echo(f"  {known:<15} {doc}")
        return
    from rich.console import Console
    from rich.table import Table

    method = method_class(name)
    analyses = ", ".join(sorted(a.value for a in method.capabilities.analyses))
    table = Table(
        "Option", "Default", "Takes", "What it does", title=f"{method.name} ({analyses})", title_justify="left"
    )
    for spec in method.options_type.declared():
        label = f"{spec.name}[i]" if spec.array else spec.name
        if spec.aliases:
            label += f" ({', '.join(spec.aliases)})"
        help_text = spec.help + (f" [{spec.unit}]" if spec.unit else "") + (" (mvakit's own)" if spec.extension else "")
        table.add_row(*(_plain(text) for text in (label, spec.text(spec.default), spec.expects, help_text)))
    Console(soft_wrap=False, width=None if sys.stdout.isatty() else 140).print(table)


def _plain(text: str) -> Any:
    """Return text in which brackets are no markup."""
    from rich.text import Text

    return Text(text)


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("plots"),
    show_default=True,
    help="The folder of the figures.",
)
@click.option("--format", "formats", default="pdf,png", show_default=True, help="File formats, separated by commas.")
@click.option("--dataset", default=None, help="The dataset, where the file holds several.")
@click.option("--style", default=None, help="A style of mplhep, such as CMS: its fonts and ticks, never its label.")
@click.option("--label", default=None, help="A text above the axes; none unless given.")
def plots(file: Path, output: Path, formats: str, dataset: str | None, style: str | None, label: str | None) -> None:
    """Draw the figures of a result FILE, TMVA's own or mvakit's."""
    from mvakit.display import display
    from mvakit.progress import progress_bar, show_messages

    show_messages()
    wanted = tuple(f.strip().lower() for f in formats.split(",") if f.strip())
    with progress_bar("Plots") as tick:
        paths = display().save_plots(file, output, formats=wanted, dataset=dataset, style=style, label=label, tick=tick)
    for path in paths:
        click.echo(str(path))


@main.command()
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--port", type=click.IntRange(0, 65535), default=None, help="The port; a free one unless given.")
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@click.option("--dataset", default=None, help="The dataset to begin with, where there are several.")
def gui(files: tuple[Path, ...], port: int | None, no_browser: bool, dataset: str | None) -> None:
    """Show result FILES, TMVA's own or mvakit's, in a browser; several are laid over each other."""
    from mvakit.display import display

    display().serve_gui(files, dataset=dataset, port=port, browser=not no_browser, say=click.echo)


@main.command()
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("report.html"),
    show_default=True,
    help="The file to write.",
)
@click.option("--dataset", default=None, help="The dataset to begin with, where there are several.")
def report(files: tuple[Path, ...], output: Path, dataset: str | None) -> None:
    """Write everything that result FILES can show into one page, which opens without a network."""
    from mvakit.display import display
    from mvakit.progress import progress_bar

    with progress_bar("Report") as tick:
        path = display().save_report(files, output, dataset=dataset, tick=tick)
    click.echo(str(path))


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Say it in JSON (weight files).")
def info(file: Path, as_json: bool) -> None:
    """Say what a weight file or a result file holds."""
    if file.suffix == ".root":
        from mvakit.resultfile import ResultFile

        with ResultFile(file) as result:
            for name in result.datasets:
                dataset = result.dataset(name)
                click.echo(f"{name}: {dataset.analysis}, classes {', '.join(dataset.classes)}")
                click.echo("  variables: " + ", ".join(v.label for v in dataset.variables))
                for method in dataset.methods:
                    click.echo(f"  method: {method.title} ({method.type})")
        return
    from mvakit.description import describe

    found = describe(file)
    if as_json:
        import json

        click.echo(json.dumps(found.to_dict(), indent=2))
        return
    _print_description(found)


def _print_description(found: Description) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=False, width=None if sys.stdout.isatty() else 140, highlight=False)

    def table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        if rows:
            made = Table(*columns, title=title, title_justify="left")
            for row in rows:
                made.add_row(*map(_plain, row))
            console.print(made)

    of = (
        f"targets {', '.join(t.label for t in found.targets)}"
        if found.targets
        else f"classes {', '.join(found.classes)}"
    )
    console.print(_plain(f"{found.title}: {found.method}, {found.analysis}, {of}"))
    for name, text in found.training.items():
        console.print(_plain(f"  {name}: {text}"))
    if found.transformations:
        console.print(_plain(f"  Transformations before the method: {', '.join(found.transformations)}"))
    counted = ", ".join(f"{count} {name}" for name, count in found.elements.items())
    said = ", ".join(f"{name}={text}" for name, text in found.weights.items())
    console.print(_plain(f"  Weights: {'; '.join(filter(None, (said, counted))) or 'none in this file'}"))
    console.print(_plain(f"  Probability and rarity: {'yes' if found.has_pdfs else 'no PDFs of the response'}"))
    table(
        f"Options changed from their defaults ({len(found.options)} of {found.n_options})",
        ("Option", "Value", "Default", "What it says"),
        [(o.name, o.value, "?" if o.default is None else o.default, o.help) for o in found.options],
    )
    for title, group in (("Variables", found.variables), ("Spectators", found.spectators), ("Targets", found.targets)):
        table(
            title,
            ("Label", "Expression", "Title", "Type", "Minimum", "Maximum"),
            [(v.label, v.expression, v.axis_title, v.type, f"{v.minimum:g}", f"{v.maximum:g}") for v in group],
        )
    table("Models within", ("Method", "Title", ""), [(p.method, p.title, p.says) for p in found.parts])
    console.print(_plain("Who applies it needs"))
    for need in found.needs:
        console.print(_plain(f"  {need}"))
    console.print(
        _plain(f"  It cannot be applied here: {found.obstacle}" if found.obstacle else "  It can be applied here.")
    )


@main.command()
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="The folder to work in.",
)
@click.option("--events", type=click.IntRange(200), default=6000, show_default=True, help="Events of each class.")
def demo(output: Path, events: int) -> None:
    """Walk the whole road on generated toy data: train, evaluate, draw, apply."""
    from mvakit.demo import run_demo

    run_demo(output, events)


if __name__ == "__main__":
    main()
