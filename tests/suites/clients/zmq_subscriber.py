"""Subscribes to everything at the addresses that are named, and writes a line for each message: address, topic, body and
number in hexadecimal. Ends when its input does and nothing has come for a while."""

import sys
import threading

import zmq

context = zmq.Context()
poller = zmq.Poller()
addresses = {}
for number, address in enumerate(sys.argv[1:]):
    socket = context.socket(zmq.SUB)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.setsockopt(zmq.IPV6, 1)
    socket.setsockopt(zmq.HEARTBEAT_IVL, 200)
    socket.setsockopt(zmq.SUBSCRIBE, b"nothing")
    socket.setsockopt(zmq.SUBSCRIBE, b"")
    socket.setsockopt(zmq.UNSUBSCRIBE, b"nothing")
    monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
    socket.connect(address)
    monitor.recv_multipart()
    poller.register(socket, zmq.POLLIN)
    addresses[socket] = number

ended = threading.Event()


def read_input():
    sys.stdin.read()
    ended.set()


threading.Thread(target=read_input, daemon=True).start()
# The subscription travels right behind the handshake.
poller.poll(300)
print("ready", flush=True)
while True:
    ready = poller.poll(700)
    if not ready and ended.is_set():
        break
    for socket, _ in ready:
        topic, body, number = socket.recv_multipart()
        print(addresses[socket], topic.decode(), body.hex(), number.hex(), flush=True)
