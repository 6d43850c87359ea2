"""Headers of every answer, whichever handler gave it."""

from __future__ import annotations

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import OutputTransform

from rlhf_lab.dashboard.logs import request_id

# Of pages and files without scripts of Bokeh: nothing but what this server sends.
STRICT = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

_ALWAYS = {
    "Content-Security-Policy": STRICT,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Invite links hold a secret, so no other host is told them. "no-referrer" would go too far:
    # browsers then say "null" for the origin of our own forms, which is checked.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
}


class SecureHeaders(OutputTransform):
    """Adds them to answers that have none of their own, those of libraries included."""

    def __init__(self, request: HTTPServerRequest) -> None:
        self._request = request

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Before anything is sent."""
        for name, value in _ALWAYS.items():
            headers.setdefault(name, value)
        headers.setdefault("X-Request-Id", request_id(self._request))
        headers.pop("Server", None)
        return status_code, headers, chunk


class SecureHeadersOverTls(SecureHeaders):
    """Also tells browsers to come back through TLS alone."""

    def transform_first_chunk(
        self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
    ) -> tuple[int, HTTPHeaders, bytes]:
        """Before anything is sent."""
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        return super().transform_first_chunk(status_code, headers, chunk, finishing)
