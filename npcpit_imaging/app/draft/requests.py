"""What a page may ask a draft to become: one frozen value per kind of change; each is one step of undo."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from npcpit_imaging.errors import ReadingError
from npcpit_imaging.segmentation.prompt import (
    BoxPrompt,
    LassoPrompt,
    LinePrompt,
    PointPrompt,
    Prompt,
    ScribblePrompt,
)
from npcpit_imaging.study.lesion import EndoscopyState, FieldPosition, LesionRole, LesionState, TumourMarker

Coordinate = Annotated[float, Field(ge=-1e5, le=1e5, allow_inf_nan=False)]
"""LPS mm; nothing of a patient is 100 m away."""

Point = tuple[Coordinate, Coordinate, Coordinate]
Line = tuple[Point, Point]
Points = Annotated[tuple[Point, ...], Field(min_length=1, max_length=5000)]
LesionName = Annotated[str, Field(min_length=1, max_length=16)]
Uid = Annotated[str, Field(pattern=r"^[0-9.]{1,64}$")]
Words = Annotated[str, Field(max_length=4000)]
Term = Annotated[str, Field(min_length=1, max_length=64)]
Millimetres = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]


class Request(BaseModel):
    """A frozen request; a key nobody asked for is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class PromptShape(Request):
    """One line, box, point, scribble or lasso."""

    kind: Literal["line", "box", "point", "scribble", "lasso"]
    points_mm: Points
    positive: bool = True

    def prompt(self) -> Prompt:
        """As the segmenter takes it.

        Raises:
            ReadingError: It has another number of points than its kind.
            SegmentationError: The points cannot be one.
        """
        wanted = {"line": 2, "box": 2, "point": 1}.get(self.kind, len(self.points_mm))
        if len(self.points_mm) != wanted:
            raise ReadingError(f"{self.kind}: expected {wanted} points, found {len(self.points_mm)}")
        points, positive = self.points_mm, self.positive
        match self.kind:
            case "line":
                return LinePrompt(start_mm=points[0], end_mm=points[1], positive=positive)
            case "box":
                return BoxPrompt(corner_mm=points[0], opposite_mm=points[1], positive=positive)
            case "point":
                return PointPrompt(point_mm=points[0], positive=positive)
            case "scribble":
                return ScribblePrompt(points_mm=points, positive=positive)
            case "lasso":
                return LassoPrompt(points_mm=points, positive=positive)


class PromptChange(Request):
    """Ask the segmenter."""

    kind: Literal["prompt"]
    lesion: LesionName
    series_uid: Uid
    prompts: Annotated[tuple[PromptShape, ...], Field(min_length=1, max_length=50)]
    refine: bool = False
    keep_caliper: bool = True


class EditMaskChange(Request):
    """Edit the mask by hand."""

    kind: Literal["edit_mask"]
    lesion: LesionName
    series_uid: Uid
    operation: Literal["brush", "erase", "fill_between", "largest", "clip_to_tissue", "grow", "smooth", "clear"]
    points_mm: Annotated[tuple[Point, ...], Field(max_length=5000)] = ()
    radius_mm: Millimetres = 0.0
    distance_mm: Millimetres = 0.0
    in_slice: bool = True


class CaliperChange(Request):
    """Draw, move or remove a caliper."""

    kind: Literal["caliper"]
    lesion: LesionName
    series_uid: Uid
    axis: Literal["long", "short"]
    line_mm: Line | None


class ConfirmChange(Request):
    """Accept the mask's numbers, or the own caliper's."""

    kind: Literal["confirm"]
    lesion: LesionName
    accept: Literal["proposal", "caliper"]


class RejectChange(Request):
    """Turn a proposal down."""

    kind: Literal["reject"]
    lesion: LesionName


class StateChange(Request):
    """Say what was found where nothing is measured."""

    kind: Literal["state"]
    lesion: LesionName
    state: LesionState
    merged_into: Annotated[str, Field(max_length=16)] = ""


class ReopenChange(Request):
    """Take a confirmation back."""

    kind: Literal["reopen"]
    lesion: LesionName


class AnnotateChange(Request):
    """Say something beside the size; what is not given stays."""

    kind: Literal["annotate"]
    lesion: LesionName
    field: FieldPosition | None = None
    endoscopy: EndoscopyState | None = None
    comment: Words | None = None


class AddLesionChange(Request):
    """Add a lesion: new, a fragment of one that split, or at baseline a target or non-target."""

    kind: Literal["add_lesion"]
    role: LesionRole
    organ: Term
    location: Term
    nodal: bool = False
    irradiated: bool = False
    prior_rt: bool = False
    parent: Annotated[str, Field(max_length=16)] = ""
    state: LesionState | None = None


class RemoveLesionChange(Request):
    """Take an added lesion away again."""

    kind: Literal["remove_lesion"]
    lesion: LesionName


class ReadChange(Request):
    """Say something of the visit as a whole; what is not given stays."""

    kind: Literal["read"]
    comment: Words | None = None
    tumour_marker: TumourMarker | None = None


Change = Annotated[
    PromptChange
    | EditMaskChange
    | CaliperChange
    | ConfirmChange
    | RejectChange
    | StateChange
    | ReopenChange
    | AnnotateChange
    | AddLesionChange
    | RemoveLesionChange
    | ReadChange,
    Field(discriminator="kind"),
]
"""Any of them."""
