"""Asks a lab for a balance in every world, makes another world the best one, and asks again.

    pip install grpcio grpcio-tools
    python two_worlds.py 127.0.0.1:8390 path/to/proto ADDRESS

The client is made from the .proto files when the program runs; nothing of it is written by hand.
"""

import pathlib
import sys
import tempfile

import grpc
import grpc_tools
from grpc_tools import protoc


def make_client(protos):
    """Makes Python modules of the .proto files and puts them where `import` finds them."""
    out = tempfile.mkdtemp(prefix="everett-client-")
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    files = sorted(str(path) for path in pathlib.Path(protos).rglob("*.proto"))
    arguments = ["protoc", f"-I{protos}", f"-I{well_known}", f"--python_out={out}", f"--grpc_python_out={out}"]
    if protoc.main(arguments + files) != 0:
        sys.exit(f"the .proto files in {protos} cannot be compiled")
    sys.path.insert(0, out)


def main(address, protos, script):
    make_client(protos)
    from everett.v1 import common_pb2, lab_service_pb2, lab_service_pb2_grpc
    from everett.v1 import ledger_service_pb2, ledger_service_pb2_grpc
    from everett.v1 import world_service_pb2, world_service_pb2_grpc

    with grpc.insecure_channel(address) as channel:
        worlds = world_service_pb2_grpc.WorldServiceStub(channel)
        ledger = ledger_service_pb2_grpc.LedgerServiceStub(channel)
        lab = lab_service_pb2_grpc.LabServiceStub(channel)

        def balance(block_hash):
            answer = ledger.GetBalance(
                ledger_service_pb2.GetBalanceRequest(
                    world=common_pb2.WorldRef(block_hash=block_hash),
                    script=common_pb2.Script(address=script),
                )
            )
            return answer.balance.confirmed_sat

        def show():
            tips = worlds.ListWorlds(world_service_pb2.ListWorldsRequest()).worlds
            for tip in tips:
                best = "best" if tip.best else "    "
                print(f"{best} height {tip.height}: {balance(tip.tip_hash)} sat")
            return tips

        # Best one first. The same address has another balance in each.
        tips = show()

        # A losing branch grows until it is one block longer than the best one, and is that now.
        loser = common_pb2.WorldRef(block_hash=tips[-1].tip_hash)
        count = tips[0].height + 1 - tips[-1].height
        mined = lab.MineBlocks(lab_service_pb2.MineBlocksRequest(parent=loser, count=count))
        print(f"{len(mined.block_hashes)} blocks on {tips[-1].tip_hash[:16]}")
        show()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
