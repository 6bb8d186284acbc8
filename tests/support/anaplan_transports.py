"""Transports that send what is meant for Anaplan's hosts to the practice Anaplan."""

from __future__ import annotations

import httpx2


class ToPractice(httpx2.BaseTransport):
    """Sends what is meant for Anaplan's hosts to the practice system."""

    def __init__(self, url: str) -> None:
        self.url, self.inner = httpx2.URL(url), httpx2.HTTPTransport(verify=False)
        self.seen: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request.url.path.split("/")[-1])
        request.url = request.url.copy_with(scheme="http", host=self.url.host, port=self.url.port)
        request.headers["Host"] = f"{self.url.host}:{self.url.port}"
        return self.inner.handle_request(request)


class AsyncToPractice(httpx2.AsyncBaseTransport):
    """The same for the SDK's asynchronous client."""

    def __init__(self, url: str) -> None:
        self.url, self.inner = httpx2.URL(url), httpx2.AsyncHTTPTransport(verify=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(scheme="http", host=self.url.host, port=self.url.port)
        request.headers["Host"] = f"{self.url.host}:{self.url.port}"
        return await self.inner.handle_async_request(request)
