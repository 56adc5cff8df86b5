"""The page at /: static files of the package's own, with the headers that browsers expect."""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

STATIC = Path(__file__).parents[1] / "static"

# Nothing from elsewhere, nothing inline, in no frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

FILES = {"/": "index.html"} | {
    f"/static/{path.name}": path.name for path in sorted(STATIC.iterdir()) if path.suffix != ".html"
}

router = APIRouter(include_in_schema=False)


def _serve(path: str, name: str) -> None:
    @router.get(path)
    async def file() -> FileResponse:
        return FileResponse(STATIC / name, headers={"Content-Security-Policy": POLICY})


for _path, _name in FILES.items():
    _serve(_path, _name)
