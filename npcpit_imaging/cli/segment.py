"""`npcpit segment`: prompts in patient millimetres, a mask out."""

from pathlib import Path
from typing import Annotated

import typer

from npcpit_imaging.app import console
from npcpit_imaging.app.measure import MaskChoice
from npcpit_imaging.app.segmenting import segment_image
from npcpit_imaging.cli.application import app
from npcpit_imaging.cli.options import (
    SINGLE,
    FileModality,
    FileUnit,
    Image,
    Json,
    Label,
    Roi,
    Segment,
    show_result,
)
from npcpit_imaging.errors import InputError
from npcpit_imaging.segmentation.prompt import (
    Prompt,
    parse_axes,
    parse_box,
    parse_lasso,
    parse_point,
    parse_scribble,
)
from npcpit_imaging.volume.volume import Modality

Texts = list[str]
POINTS = '"x,y,z:x,y,z:..." in LPS mm'


@app.command(rich_help_panel=SINGLE)
def segment(
    image: Image,
    output: Annotated[Path, typer.Option("-o", "--output", help="mask.nii.gz or mask.nrrd")],
    line: Annotated[str | None, typer.Option(help='The lesion\'s long axis, "x,y,z:x,y,z" in LPS mm.')] = None,
    short_axis: Annotated[str | None, typer.Option(help="Its short axis in the same slice, with --line.")] = None,
    box: Annotated[str | None, typer.Option(help='Two opposite corners, "x,y,z:x,y,z" in LPS mm.')] = None,
    lasso: Annotated[str | None, typer.Option(help=f"An outline in one slice, {POINTS}.")] = None,
    scribble: Annotated[Texts, typer.Option(help=f"A stroke through the lesion, {POINTS}; repeatable.")] = [],  # noqa: B006
    point: Annotated[Texts, typer.Option(help='A click in the lesion, "x,y,z" in LPS mm; repeatable.')] = [],  # noqa: B006
    negative_lasso: Annotated[Texts, typer.Option(help="An outline of what is not the lesion.")] = [],  # noqa: B006
    negative_scribble: Annotated[Texts, typer.Option(help="A stroke through what is not the lesion.")] = [],  # noqa: B006
    negative_point: Annotated[Texts, typer.Option(help="A click on what is not the lesion.")] = [],  # noqa: B006
    previous: Annotated[Path | None, typer.Option(help="A mask on the image's grid to refine.")] = None,
    roi: Roi = None,
    segment_number: Segment = None,
    label: Label = None,
    method: Annotated[
        str | None, typer.Option(help="Which segmenter, or bundle:FOLDER; the modality's default without.")
    ] = None,
    settings: Annotated[Path | None, typer.Option(help="Imaging settings (TOML); the modality's without.")] = None,
    reference_suv: Annotated[
        str | None, typer.Option(help='For pet-percist: "liver,MEAN,SD" or "blood,MEAN,SD" of the same PET.')
    ] = None,
    modality: FileModality = Modality.OT,
    unit: FileUnit = None,
    as_json: Json = False,
) -> None:
    """Propose a lesion's mask from what a reader pointed at; no measurement until a reader confirms it."""
    prompts: list[Prompt] = []
    prompts += parse_axes(line, short_axis)
    prompts += [parse_lasso(lasso)] if lasso else []
    prompts += [parse_box(box)] if box else []
    for sign, strokes, clicks in ((True, scribble, point), (False, negative_scribble, negative_point)):
        prompts += [parse_scribble(text, positive=sign) for text in strokes]
        prompts += [parse_point(text, positive=sign) for text in clicks]
    prompts += [parse_lasso(text, positive=False) for text in negative_lasso]
    if not prompts and previous is None:
        raise InputError("segment: expected --line, --box, --lasso, --scribble, --point or --previous, found none")
    result = segment_image(
        image,
        prompts,
        output,
        previous=previous,
        choice=MaskChoice(roi=roi, segment=segment_number, label=label),
        method=method,
        settings=settings,
        reference=reference_suv,
        modality=modality,
        unit=unit,
    )
    show_result(result, as_json, lambda: console.values(result))
