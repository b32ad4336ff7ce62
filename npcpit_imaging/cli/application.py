"""The application that the verbs join."""

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="From DICOM to confirmed lesion measurements, RECIST responses and radiomics, every number traceable. "
    "Research software, not a medical device.",
)
