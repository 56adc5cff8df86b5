"""The page at /: static files of the package's own, with the headers that browsers expect."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from service.http.schemas.errors import ERRORS

STATIC = Path(__file__).parents[1] / "static"

# Nothing from elsewhere, nothing inline, in no frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

FILES = {"/": "index.html"} | {
    f"/static/{path.name}": path.name for path in sorted(STATIC.iterdir()) if path.suffix != ".html"
}

router = APIRouter()


def _serve(path: str, name: str) -> None:
    # What belongs to the page is no part of the interface.
    @router.get(
        path,
        include_in_schema=path == "/",
        summary="The page",
        response_class=Response,
        tags=["operation"],
        responses={
            200: {"content": {"text/html": {"schema": {"type": "string"}}}},
            401: ERRORS[401],
        },
    )
    async def file() -> FileResponse:
        """Return the page, for a browser."""
        return FileResponse(STATIC / name, headers={"Content-Security-Policy": POLICY})


for _path, _name in FILES.items():
    _serve(_path, _name)
