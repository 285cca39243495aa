"""A running everett: `run` on the chain of sixty forks, or `lab`, on free ports."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile

import grpc
from everett.v1 import chain_service_pb2, chain_service_pb2_grpc
from everett.v1 import common_pb2, lab_service_pb2, lab_service_pb2_grpc

EVERETT = os.environ["EVERETT"]
WORLD = pathlib.Path(os.environ["EVERETT_VECTORS"]) / "worlds" / "regtest-60-forks"
STOP_SECONDS = 20


def rows(name):
    """The rows of one of the chain's files of JSON lines."""
    with open(WORLD / name, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def whole(name):
    """One of the chain's JSON files."""
    return json.loads((WORLD / name).read_text(encoding="utf-8"))


def environment():
    """Without settings of the one who runs the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("EVERETT_")}


class Node:
    """A process that serves, and what it said when it was ready."""

    def __init__(self, command, *options):
        arguments = [EVERETT, command, "--json", "--grpc", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(
            arguments, stdout=subprocess.PIPE, text=True, env=environment()
        )
        text = ""
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError(f"{arguments} ended: {text}")
            text += line
            try:
                self.ready = json.loads(text)
                break
            except json.JSONDecodeError:
                continue
        self.web = self.ready["web"]
        channel = grpc.insecure_channel(self.ready["grpc"].removeprefix("http://"))
        self.lab = lab_service_pb2_grpc.LabServiceStub(channel)
        self.chain = chain_service_pb2_grpc.ChainServiceStub(channel)

    def mine(self, parent=None, count=1):
        """Mines on a block, or on the best one; the new blocks' hashes."""
        world = common_pb2.WorldRef(block_hash=parent) if parent else common_pb2.WorldRef(best=True)
        request = lab_service_pb2.MineBlocksRequest(parent=world, count=count)
        return list(self.lab.MineBlocks(request).block_hashes)

    def invalidate(self, block):
        """Takes a block, and what stands on it, out of every world."""
        self.lab.InvalidateBlock(lab_service_pb2.InvalidateBlockRequest(block_hash=block))

    def submit(self, block):
        """Hands in a block's bytes, as a miner would."""
        return self.chain.SubmitBlock(chain_service_pb2.SubmitBlockRequest(block=block))

    def ask(self, *arguments):
        """What a command says that asks the node, as JSON."""
        command = [EVERETT, *arguments, "--json", "--connect", self.ready["grpc"]]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment())
        return json.loads(answer.stdout) if answer.stdout else None

    def stop(self):
        """Stops it in order."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(STOP_SECONDS)
        self.process.stdout.close()


def sixty_forks(*options):
    """A lab on the chain of sixty forks, imported into a directory of its own; the node and the directory."""
    directory = tempfile.TemporaryDirectory(prefix="everett-web-")
    chain = ["--network", "regtest", "--datadir", directory.name]
    subprocess.run(
        [EVERETT, "import", *chain, str(WORLD / "blocks.dat")],
        check=True, stdout=subprocess.DEVNULL, env=environment(),
    )
    return Node("run", "--lab", *chain, *options), directory


def networked(*options):
    """A lab on an empty chain of regtest that takes calls of peers; the node and its directory."""
    directory = tempfile.TemporaryDirectory(prefix="everett-web-")
    chain = ["--network", "regtest", "--datadir", directory.name]
    return Node("run", "--lab", *chain, "--serve", "127.0.0.1:0", "--webui", "127.0.0.1:0", *options), directory
