"""The application: routes over one open study."""

from collections.abc import Callable

from fastapi import APIRouter, FastAPI

from npcpit_imaging import __version__
from npcpit_imaging.app.access.oidc import Oidc
from npcpit_imaging.app.access.oidc_provider import Provider, read_secret
from npcpit_imaging.app.draft.place import Desk
from npcpit_imaging.app.shelf import Shelf
from npcpit_imaging.app.study import Study
from npcpit_imaging.server.callers import TheCaller
from npcpit_imaging.server.headers import Guard
from npcpit_imaging.server.page import add_page
from npcpit_imaging.server.problems import add_problems
from npcpit_imaging.server.routes import (
    adjudication,
    coordination,
    dicomweb_retrieve,
    dicomweb_search,
    dicomweb_store,
    field,
    images,
    oidc,
    oversight,
    reads,
    session,
)
from npcpit_imaging.store.schema import JsonObject

ROUTERS: tuple[APIRouter, ...] = (
    session.router,
    oidc.router,
    reads.router,
    images.router,
    field.router,
    adjudication.router,
    coordination.router,
    oversight.router,
    dicomweb_search.router,
    dicomweb_retrieve.router,
    dicomweb_store.router,
)
"""Every router, in the order of the documentation."""


def create_app(study: Study, *, secure: bool = False) -> Callable[..., object]:
    """Make the application of a study.

    Args:
        study: An open study; its folder stays open while the application serves.
        secure: Whether browsers reach us by TLS: cookies are then never sent without it.
    """
    return Guard(make_app(study, secure=secure), max_upload_bytes=study.site.server.max_upload_bytes, secure=secure)


def oidc_of(study: Study) -> Oidc | None:
    """Sign-in with the provider that site.toml names; None where it names none.

    Raises:
        ConfigError: It cannot be used as site.toml says.
    """
    site = study.site.server.oidc
    return None if site is None else Oidc(Provider(site, read_secret(site, study.folder)))


def make_app(study: Study, *, secure: bool = False) -> FastAPI:
    """The application without its outermost layer."""
    app = FastAPI(
        title="npcpit_imaging reading server",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        description="Reads, prompts, images and DICOMweb of one study. Coordinates are LPS mm.",
    )
    app.state.desk = Desk(study=study, shelf=Shelf(study, size=study.site.server.volumes_in_memory))
    app.state.secure = secure
    app.state.oidc = oidc_of(study)
    add_problems(app)
    for router in ROUTERS:
        app.include_router(router)

    @app.get("/api/openapi.json", include_in_schema=False)
    def described(caller: TheCaller) -> JsonObject:  # only for who is signed in
        return app.openapi()

    add_page(app)
    # Builds every route now: FastAPI silences a warning of pydantic while it does, with filters that all threads share.
    app.openapi()
    return app
