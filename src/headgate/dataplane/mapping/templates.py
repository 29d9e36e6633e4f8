"""Which mapping template runs, for templates that are plain text. Directives and references are not rendered yet."""

from collections.abc import Mapping
from typing import Final

from headgate.dataplane import headers
from headgate.dataplane.refusal import UnsupportedMediaType
from headgate.model.call import Call

_JSON: Final = "application/json"


class UnsupportedTemplate(ValueError):
    """The template needs the template language, which this version does not render."""


def require_static(where: str, templates: Mapping[str, str] | None) -> Mapping[str, str]:
    """The templates, by media type, when all of them are plain text. Raises UnsupportedTemplate naming `where`."""
    for media_type, template in (templates or {}).items():
        if "$" in template or "#" in template:
            raise UnsupportedTemplate(
                f"the {media_type} template of {where} has references or directives of the template language; "
                "this version serves only templates of plain text"
            )
    return templates or {}


def select_request_template(templates: Mapping[str, str], passthrough: str, call: Call) -> str | None:
    """The template for a request's Content-Type, or None to pass the body through (aws-semantics 13.3)."""
    if not templates and passthrough != "NEVER":
        return None
    content_type = headers.first(call.headers, b"content-type")
    media_type = content_type.decode("latin-1").partition(";")[0].strip().lower() if content_type else _JSON
    template = templates.get(media_type)
    if template is None and passthrough != "WHEN_NO_MATCH":
        raise UnsupportedMediaType
    return template


def select_response_template(templates: Mapping[str, str], call: Call) -> tuple[str, str] | None:
    """Media type and template for an answer: by the first Accept entry, then JSON, then the first; None without any."""
    if not templates:
        return None
    accept = headers.first(call.headers, b"accept")
    wanted = accept.decode("latin-1").partition(",")[0].partition(";")[0].strip().lower() if accept else _JSON
    for media_type in (wanted, _JSON):
        if media_type in templates:
            return media_type, templates[media_type]
    return next(iter(templates.items()))
