"""A server made of h2: it checks what a client sends, and responds correctly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes

from tests.http.servers import Served

Settings = dict[SettingCodes | int, int]
Fields = dict[bytes, bytes]


class Judge:
    """One connection of a server that is h2 throughout."""

    def __init__(
        self, served: Served, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.served, self.reader, self.writer = served, reader, writer
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding=None)
        )
        #: Bodies of requests, as far as they are here.
        self.bodies: dict[int, bytes] = {}
        #: Bodies of answers that wait for the client's window.
        self.unsent: dict[int, bytes] = {}
        self.resets: list[int] = []

    async def run(self, answer: Answer, settings: Settings) -> None:
        self.h2.initiate_connection()
        self.flush()
        fields: dict[int, Fields] = {}
        while data := await self.reader.read(65_536):
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.RequestReceived):
                    fields[event.stream_id] = dict(event.headers)
                    self.bodies[event.stream_id] = b""
                    self.served.requests.append(
                        fields[event.stream_id][b":path"].decode()
                    )
                elif isinstance(event, h2.events.DataReceived):
                    self.bodies[event.stream_id] += event.data
                    size = event.flow_controlled_length
                    self.h2.acknowledge_received_data(size, event.stream_id)
                elif isinstance(event, h2.events.SettingsAcknowledged) and settings:
                    # Not before: h2 takes the first acknowledgement for all settings.
                    self.h2.update_settings(settings)
                    settings = {}
                elif isinstance(event, h2.events.StreamEnded):
                    await answer(self, event.stream_id, fields[event.stream_id])
                elif isinstance(event, h2.events.StreamReset):
                    self.resets.append(event.stream_id)
                    self.unsent.pop(event.stream_id, None)
            self.send_bodies()
            self.flush()

    def flush(self) -> None:
        self.writer.write(self.h2.data_to_send())

    def respond(
        self, stream_id: int, body: bytes = b"page", *fields: tuple[bytes, bytes]
    ) -> None:
        length = (b"content-length", b"%d" % len(body))
        self.h2.send_headers(stream_id, [(b":status", b"200"), length, *fields])
        self.unsent[stream_id] = body

    def send_bodies(self) -> None:
        """Send what the windows allow, in frames of the size that the client takes."""
        for stream_id, body in list(self.unsent.items()):
            while body:
                room = self.h2.local_flow_control_window(stream_id)
                size = min(room, self.h2.max_outbound_frame_size, len(body))
                if not size:
                    break
                self.h2.send_data(stream_id, body[:size])
                body = body[size:]
            self.unsent[stream_id] = body
            if not body:
                del self.unsent[stream_id]
                self.h2.end_stream(stream_id)


#: Answers a request whose last byte is here: its stream, and its fields.
Answer = Callable[[Judge, int, Fields], Awaitable[None]]
