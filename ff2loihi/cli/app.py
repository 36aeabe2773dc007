"""The command `ff2loihi`: what it says of itself, and where its commands are."""

from typing import Annotated

import typer

from ff2loihi import __version__
from ff2loihi.cli import board_commands, model_commands

PAGES = "\n".join(
    (
        "\b",  # typer keeps the lines of this paragraph as they are
        "Pages:",
        "  docs/tutorials/first-network.md       start here",
        "  docs/tutorials/own-checkpoint.md      with a network of your own",
        "  docs/tutorials/learn-on-the-chip.md   to learn there, and adapt",
        "  docs/guides/install.md                what runs where",
        "  docs/reference/commands.md            every option",
        "  docs/faq.md                           questions",
    )
)

app = typer.Typer(
    name="ff2loihi",
    help="Compile Forward-Forward networks from PyTorch to Lava and Loihi, bit for bit.",
    epilog=PAGES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(model_commands.commands)
app.add_typer(board_commands.commands)


def _version(value: bool) -> None:
    if value:
        print(f"ff2loihi {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="print it")] = False,
) -> None:
    pass
