"""How the application describes itself in OpenAPI: with its limits, and its keys."""

from typing import Any

import yaml
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.http.security import PROBES
from service.settings import Settings


def describe(app: FastAPI, settings: Settings) -> None:
    """Have the application describe its limits and its keys as they are set."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _description(app, settings)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way


def render(app: FastAPI) -> str:
    """Return the description as YAML, in the order it was declared."""
    return yaml.safe_dump(app.openapi(), sort_keys=False, allow_unicode=True, width=100)


def _description(app: FastAPI, settings: Settings) -> dict[str, Any]:
    content = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        license_info=app.license_info,
        routes=app.routes,
    )
    schemas = content["components"]["schemas"]
    for schema in schemas.values():
        properties = schema.get("properties", {})
        if "n_trajectories" not in properties:
            continue  # a max_tokens beside none is of texts, as Cohere has it
        for name, limit in (
            ("n_trajectories", settings.max_trajectories),
            ("max_tokens", settings.max_continuation_tokens),
        ):
            properties[name]["maximum"] = limit
            if (properties[name].get("default") or 0) > limit:
                # A request that needs it, and has none, is refused.
                del properties[name]["default"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    content["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    # Where no key is set none is needed.
    security: list[dict[str, list[str]]] = [{"key": []}] if settings.keys() else [{}, {"key": []}]
    for path, operations in content["paths"].items():
        if path not in PROBES:
            for operation in operations.values():
                operation["security"] = security
    return content
