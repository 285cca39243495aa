"""A peer that is no Everett: it says just what it has to, and calls itself what it likes."""

import hashlib
import socket
import struct
import time

MAGIC = bytes.fromhex("fabfb5da")
VERSION = 70016


def message(name, payload=b""):
    """A message of the network, with its header."""
    checksum = hashlib.sha256(hashlib.sha256(payload).digest()).digest()[:4]
    return MAGIC + name.encode().ljust(12, b"\0") + struct.pack("<I", len(payload)) + checksum + payload


class Stranger:
    """A connection in the clear to a node of regtest, after the handshake."""

    def __init__(self, address, agent):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        nobody = bytes(26)
        said = agent.encode()
        length = bytes([len(said)]) if len(said) < 0xFD else b"\xfd" + struct.pack("<H", len(said))
        payload = struct.pack("<iQq", VERSION, 9, int(time.time())) + nobody + nobody
        payload += struct.pack("<Q", time.time_ns()) + length + said + struct.pack("<i?", 7, False)
        self.say("version", payload)
        self.say("verack")

    def say(self, name, payload=b""):
        """Sends a message."""
        self.socket.sendall(message(name, payload))

    def leave(self):
        """Ends the connection."""
        self.socket.close()
