"""A peer that is no Everett: it says just what it has to, calls itself what it likes, and has its own pace."""

import contextlib
import hashlib
import socket
import struct
import threading
import time

from node import WORLD, whole

MAGIC = bytes.fromhex("fabfb5da")
HEADER = 24
VERSION = 70016
NETWORK_AND_WITNESS = 9
MAX_HEADERS = 2_000


def twice(data):
    """The hash of blocks and messages."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def message(name, payload=b""):
    """A message of the network, with its header."""
    return MAGIC + name.encode().ljust(12, b"\0") + struct.pack("<I", len(payload)) + twice(payload)[:4] + payload


def compact(number):
    """A number as messages have it."""
    return bytes([number]) if number < 0xFD else b"\xfd" + struct.pack("<H", number)


def counted(payload, offset):
    """Such a number, and where it ends."""
    if payload[offset] < 0xFD:
        return payload[offset], offset + 1
    return struct.unpack_from("<H", payload, offset + 1)[0], offset + 3


def best_chain():
    """The blocks of the best chain of the sixty forks, from the first after genesis, by their hashes."""
    blocks = {}
    data = (WORLD / "blocks.dat").read_bytes()
    offset = 0
    while offset + 8 <= len(data):
        [length] = struct.unpack_from("<I", data, offset + 4)
        block = data[offset + 8 : offset + 8 + length]
        blocks[twice(block[:80])] = block
        offset += 8 + length
    chain = []
    at = bytes.fromhex(whole("chaintips.json")[0]["hash"])[::-1]
    while at in blocks and int.from_bytes(blocks[at][4:36], "little") != 0:
        chain.append((at, blocks[at]))
        at = blocks[at][4:36]
    return dict(reversed(chain))


class Stranger:
    """A connection in the clear to a node of regtest; it hands out blocks, so many seconds for each."""

    def __init__(self, address, agent, blocks=None, pace=0.0):
        self.blocks, self.pace = blocks or {}, pace
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=60)
        nobody = bytes(26)
        said = agent.encode()
        payload = struct.pack("<iQq", VERSION, NETWORK_AND_WITNESS, int(time.time())) + nobody + nobody
        payload += struct.pack("<Q", time.time_ns()) + compact(len(said)) + said
        self.say("version", payload + struct.pack("<i?", len(self.blocks), False))
        self.say("verack")
        self.thread = threading.Thread(target=self.answer, daemon=True)
        self.thread.start()

    def say(self, name, payload=b""):
        """Sends a message."""
        self.socket.sendall(message(name, payload))

    def leave(self):
        """Ends the connection, if it has not ended."""
        with contextlib.suppress(OSError), self.socket:
            self.socket.shutdown(socket.SHUT_RDWR)

    def hear(self, length):
        """So many bytes."""
        heard = b""
        while len(heard) < length:
            more = self.socket.recv(length - len(heard))
            if not more:
                raise ConnectionError("the node has gone")
            heard += more
        return heard

    def answer(self):
        """Answers until the connection ends."""
        try:
            while True:
                header = self.hear(HEADER)
                name = header[4:16].rstrip(b"\0").decode()
                payload = self.hear(struct.unpack_from("<I", header, 16)[0])
                if name == "ping":
                    self.say("pong", payload)
                elif name == "getheaders" and self.blocks:
                    self.headers(payload)
                elif name == "getdata":
                    self.data(payload)
        except OSError:
            pass

    def headers(self, payload):
        """The headers after the first block of a locator that is known."""
        count, offset = counted(payload, 4)
        located = [payload[offset + 32 * place : offset + 32 * place + 32] for place in range(count)]
        hashes = list(self.blocks)
        after = next((hashes.index(known) + 1 for known in located if known in self.blocks), 0)
        chosen = hashes[after : after + MAX_HEADERS]
        headers = b"".join(self.blocks[known][:80] + b"\0" for known in chosen)
        self.say("headers", compact(len(chosen)) + headers)

    def data(self, payload):
        """The blocks that are asked for, one after the other."""
        count, offset = counted(payload, 0)
        for place in range(count):
            block = self.blocks.get(payload[offset + 36 * place + 4 : offset + 36 * place + 36])
            if block:
                time.sleep(self.pace)
                self.say("block", block)
