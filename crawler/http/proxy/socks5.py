"""Opens a tunnel through a SOCKS5 proxy (RFC 1928), with socksio (the extra `socks`).

The proxy resolves the target's name, as with httpx.
"""

from __future__ import annotations

from socksio import SOCKSError
from socksio.socks5 import (
    SOCKS5AuthMethod,
    SOCKS5AuthMethodsRequest,
    SOCKS5AuthReply,
    SOCKS5Command,
    SOCKS5CommandRequest,
    SOCKS5Connection,
    SOCKS5Reply,
    SOCKS5ReplyCode,
    SOCKS5UsernamePasswordReply,
    SOCKS5UsernamePasswordRequest,
)

from crawler.http.errors import ProxyError
from crawler.http.proxy.server import ProxyServer, bracketed
from crawler.http.proxy.wire import ProxyWire

__all__ = ["connect"]

#: Length in bytes of an address in a reply, by its type. A name (type 3) has its length
#: in the first byte.
_ADDRESS_BYTES = {1: 4, 4: 16}
_NAME = 3
_SUCCEEDED = 0
_VERSION = 5


async def connect(wire: ProxyWire, proxy: ProxyServer, host: str, port: int) -> None:
    """Ask the proxy to connect to the target.

    Raises ConnectionError, or a ProxyError whose message begins with "The proxy"; the
    caller adds the proxy's URL.
    """
    try:
        dialogue = SOCKS5Connection()
        await _authenticate(wire, proxy, dialogue)
        dialogue.send(
            SOCKS5CommandRequest.from_address(SOCKS5Command.CONNECT, (host, port))
        )
        wire.write(dialogue.data_to_send())
        reply = dialogue.receive_data(await _reply(wire))
    except (SOCKSError, ValueError, OverflowError) as exc:
        raise ProxyError(
            f"The proxy did not answer in SOCKS5: {exc}; check the scheme and the port "
            "of the proxy's URL"
        ) from exc
    assert isinstance(reply, SOCKS5Reply)
    if reply.reply_code is not SOCKS5ReplyCode.SUCCEEDED:
        what = reply.reply_code.name.lower().replace("_", " ")
        raise ProxyError(
            f"The proxy refused a tunnel to {bracketed(host)}:{port}: {what}",
            is_final=reply.reply_code
            is SOCKS5ReplyCode.CONNECTION_NOT_ALLOWED_BY_RULESET,
        )


async def _authenticate(
    wire: ProxyWire, proxy: ProxyServer, dialogue: SOCKS5Connection
) -> None:
    """Agree with the proxy on a method of authentication, and send our credentials if
    the proxy asks for them (RFC 1929)."""
    offered = [SOCKS5AuthMethod.NO_AUTH_REQUIRED]
    if proxy.username or proxy.password:
        offered.append(SOCKS5AuthMethod.USERNAME_PASSWORD)
    dialogue.send(SOCKS5AuthMethodsRequest(offered))
    wire.write(dialogue.data_to_send())
    received = await wire.read(2)
    if received[0] != _VERSION:
        raise ProxyError(
            f"The proxy did not answer as a SOCKS5 proxy (first byte {received[0]}); "
            "check the scheme of the proxy's URL"
        )
    answer = dialogue.receive_data(received)
    assert isinstance(answer, SOCKS5AuthReply)
    if answer.method not in offered:
        raise ProxyError(
            "The proxy accepts none of the offered authentication methods; check the "
            "user name and the password in the proxy's URL",
            is_final=True,
        )
    if answer.method is SOCKS5AuthMethod.USERNAME_PASSWORD:
        dialogue.send(SOCKS5UsernamePasswordRequest(proxy.username, proxy.password))
        wire.write(dialogue.data_to_send())
        verdict = dialogue.receive_data(await wire.read(2))
        assert isinstance(verdict, SOCKS5UsernamePasswordReply)
        if not verdict.success:
            raise ProxyError(
                "The proxy refused the user name or the password; check both in the "
                "proxy's URL",
                is_final=True,
            )


async def _reply(wire: ProxyWire) -> bytes:
    """Read the proxy's reply to a command, but no later bytes: the target sent them."""
    head = await wire.read(4)
    if head[1] != _SUCCEEDED:
        # Some proxies end a refusal here, without an address, so add an empty address.
        return head[:3] + b"\x01" + bytes(6)
    if head[3] == _NAME:
        length = await wire.read(1)
        return head + length + await wire.read(length[0] + 2)
    if head[3] not in _ADDRESS_BYTES:
        raise ProxyError(
            f"The proxy sent a SOCKS5 answer with the unknown address type {head[3]}; "
            "use another proxy"
        )
    return head + await wire.read(_ADDRESS_BYTES[head[3]] + 2)
