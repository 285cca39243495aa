"""A wallet of bdkpython, with the coins of some transactions, that makes or signs a PSBT.

bdk_psbt.py make EXTERNAL INTERNAL ADDRESS SATOSHIS HEX...   prints a PSBT that pays the address
bdk_psbt.py sign EXTERNAL INTERNAL PSBT HEX...               prints that PSBT, signed
"""

import sys

import bdkpython as bdk


def wallet(external, internal, transactions):
    """One that has what these transactions pay it."""
    descriptors = [bdk.Descriptor(text, bdk.NetworkKind.TEST) for text in (external, internal)]
    made = bdk.Wallet(*descriptors, bdk.Network.REGTEST, bdk.Persister.new_in_memory())
    seen = [bdk.Transaction(bytes.fromhex(text)) for text in transactions]
    made.apply_unconfirmed_txs([bdk.UnconfirmedTx(tx=tx, last_seen=1) for tx in seen])
    return made


def make(external, internal, address, satoshis, *transactions):
    """A payment, not signed."""
    script = bdk.Address(address, bdk.Network.REGTEST).script_pubkey()
    builder = bdk.TxBuilder().add_recipient(script, bdk.Amount.from_sat(int(satoshis)))
    builder = builder.fee_rate(bdk.FeeRate.from_sat_per_vb(5))
    return builder.finish(wallet(external, internal, transactions))


def sign(external, internal, psbt, *transactions):
    """The same payment, signed."""
    signed = bdk.Psbt(psbt)
    if not wallet(external, internal, transactions).sign(signed):
        sys.exit("it is not signed by all keys")
    return signed


if __name__ == "__main__":
    print({"make": make, "sign": sign}[sys.argv[1]](*sys.argv[2:]).serialize())
