"""Keeps the balances of scripts from a node's events alone, and holds them against recorded ones.

    pip install grpcio grpcio-tools
    python follow_balances.py 127.0.0.1:8390 path/to/proto balances.jsonl

It asks for no balance. It starts with nothing, follows every change of the best chain from the oldest
event on, and drops the connection now and then to resume from the cursor it stored last. Whenever a
block becomes the best tip for which balances were recorded, what it holds must equal them. It ends
when every recorded tip was the best one, and prints what it saw as JSON.

The client is made from the .proto files when the program runs; nothing of it is written by hand.
"""

import json
import pathlib
import sys
import tempfile

import grpc
import grpc_tools
from grpc_tools import protoc

# Events after which the connection is dropped.
DROP_AFTER = 40


def make_client(protos):
    """Makes Python modules of the .proto files and puts them where `import` finds them."""
    out = tempfile.mkdtemp(prefix="everett-client-")
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    files = sorted(str(path) for path in pathlib.Path(protos).rglob("*.proto"))
    arguments = ["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}"]
    if protoc.main(arguments + files) != 0:
        sys.exit(f"the .proto files in {protos} cannot be compiled")
    sys.path.insert(0, out)


def recorded(path):
    """Balances by tip and script."""
    tips = {}
    with open(path, encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            tips.setdefault(line["tip"], {})[line["script"]] = line["balance_sat"]
    return tips


class Follower:
    """Balances as the events tell of them."""

    def __init__(self, tips):
        self.tips = tips
        self.balances = {script: 0 for scripts in tips.values() for script in scripts}
        self.cursor = None
        self.best = None
        self.seen = set()
        self.told = {"best_changes": 0, "reorganisations": 0, "changes": 0, "compared": 0, "connections": 0}

    def take(self, event):
        """One change of the best chain."""
        if self.best not in (None, event.from_hash):
            sys.exit(f"the last best tip was {self.best}, and the next change is from {event.from_hash}")
        if event.changes_unknown:
            sys.exit(f"the changes from {event.from_hash} to {event.to_hash} are not known")
        for change in event.changes:
            script = change.script.script_pubkey.hex()
            # The balances themselves are there only where the worlds can still be read.
            if change.HasField("before") and self.balances[script] != change.before.confirmed_sat:
                sys.exit(f"{script} had {self.balances[script]} sat, and the event says {change.before.confirmed_sat}")
            self.balances[script] += change.confirmed_delta_sat
            if change.HasField("after") and self.balances[script] != change.after.confirmed_sat:
                sys.exit(f"{script} has {self.balances[script]} sat, and the event says {change.after.confirmed_sat}")
        self.best = event.to_hash
        self.cursor = event.cursor
        self.told["best_changes"] += 1
        self.told["reorganisations"] += len(event.undone) > 0
        self.told["changes"] += len(event.changes)
        for script, balance in self.tips.get(event.to_hash, {}).items():
            self.told["compared"] += 1
            if self.balances[script] != balance:
                sys.exit(f"at {event.to_hash} {script} has {self.balances[script]} sat, recorded are {balance}")
        if event.to_hash in self.tips:
            self.seen.add(event.to_hash)

    def follow(self, address):
        """One connection: until it is time to drop it, or all was seen."""
        from everett.v1 import common_pb2, event_service_pb2, event_service_pb2_grpc

        request = event_service_pb2.StreamEventsRequest(
            policy=event_service_pb2.EVENT_POLICY_LOSSLESS,
            kinds=[event_service_pb2.EVENT_KIND_BEST_CHANGED],
            watch=[common_pb2.Script(script_pubkey=bytes.fromhex(script)) for script in self.balances],
        )
        if self.cursor is None:
            request.oldest = True
        else:
            request.cursor.CopyFrom(self.cursor)
        self.told["connections"] += 1
        with grpc.insecure_channel(address) as channel:
            stream = event_service_pb2_grpc.EventServiceStub(channel).StreamEvents(request)
            taken = 0
            for message in stream:
                if message.WhichOneof("message") != "event":
                    continue
                self.take(message.event)
                taken += 1
                if taken == DROP_AFTER or self.seen == set(self.tips):
                    stream.cancel()
                    return


def main(address, protos, balances):
    make_client(protos)
    follower = Follower(recorded(balances))
    while follower.seen != set(follower.tips):
        follower.follow(address)
    print(json.dumps({"tips": len(follower.seen), "scripts": len(follower.balances), **follower.told}))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
