"""HEAD is answered without a body, whoever made the answer: views answer it as they do GET."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.http.response import StreamingHttpResponse


class NoBodyForHead:
    """Takes the body of an answer to HEAD, which the server would drop with a line in the log for each; its
    Content-Length stays that of the answer to GET."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        if request.method == "HEAD":
            if isinstance(answer, StreamingHttpResponse):
                answer.streaming_content = ()
            elif isinstance(answer, HttpResponse):
                answer.content = b""
        return answer
