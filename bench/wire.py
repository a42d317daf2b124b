"""A connection that asks for pages and costs next to nothing itself, for twenty browsers in one process."""

import asyncio


class Wire:
    """One kept HTTP/1.1 connection of one browser."""

    def __init__(self, address: str, *, site: str, cookies: str) -> None:
        self.host, _colon, port = address.partition(":")
        self.port = int(port)
        self.headers = f"Host: {site}\r\nCookie: {cookies}\r\nHX-Request: true\r\nAccept: text/html\r\n"
        self.headers += "X-Forwarded-For: 192.0.2.1\r\n\r\n"

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port)

    async def get(self, path: str) -> str:
        """Return a page; anything but 200 is an error."""
        self.writer.write(f"GET {path} HTTP/1.1\r\n{self.headers}".encode())
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length:")[2].partition("\r\n")[0])
        body = (await self.reader.readexactly(length)).decode()
        if not head.startswith("http/1.1 200"):
            raise RuntimeError(f"{path} answered {head[:100]}")
        return body

    def close(self) -> None:
        self.writer.close()
