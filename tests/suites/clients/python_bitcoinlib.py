"""Asks a regtest node through python-bitcoinlib: URL, a signed transaction in hexadecimal."""

import sys

import bitcoin
import bitcoin.rpc
from bitcoin.core import COutPoint, CTransaction, lx, x

bitcoin.SelectParams("regtest")
proxy = bitcoin.rpc.Proxy(service_url=sys.argv[1])
payment = CTransaction.deserialize(x(sys.argv[2]))

assert proxy.getblockcount() == 101
info = proxy.getblockheader(proxy.getblockhash(5), verbose=True)
assert info["height"] == 5, info
assert proxy.getinfo()["blocks"] == 101

txid = proxy.sendrawtransaction(payment)
assert proxy.getrawmempool() == [txid]
assert proxy.getrawtransaction(txid).GetTxid() == payment.GetTxid()
coin = proxy.gettxout(COutPoint(txid, 0))
assert coin["txout"].nValue == payment.vout[0].nValue, coin
try:
    proxy.sendrawtransaction(payment.__class__(payment.vin, ()))
    raise AssertionError("a transaction without outputs was taken")
except bitcoin.rpc.JSONRPCError:
    pass

(mined,) = proxy.generate(1)
block = proxy.getblock(mined)
assert [tx.GetTxid() for tx in block.vtx][1:] == [txid]
try:
    proxy.gettxout(payment.vin[0].prevout)
    raise AssertionError("what was spent is still there")
except IndexError:
    pass
assert proxy.getbestblockhash() == mined
address = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
(last,) = proxy.generatetoaddress(1, address)
assert proxy.getblock(last).hashPrevBlock == mined
print(bitcoin.core.b2lx(txid), bitcoin.core.b2lx(last), proxy.getblockcount())
