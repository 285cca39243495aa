// Asks a regtest node through npm's bitcoin-core: PORT NAME:PASSWORD TXID, a transaction that waits there.

const assert = require('assert');
const Client = require('bitcoin-core');

const [port, login, txid] = process.argv.slice(2);
const [username, password] = login.split(':');
const host = `http://127.0.0.1:${port}`;

async function main() {
  const client = new Client({ host, username, password, version: '0.19.1' });
  assert.strictEqual(await client.getBlockCount(), 101);
  assert.deepStrictEqual(await client.getRawMempool(), [txid]);
  const hash = await client.getBlockHash({ height: 7 });
  const header = await client.getBlockHeader(hash);
  assert.strictEqual(header.height, 7);
  const [count, best, wrong] = await client.command([
    { method: 'getblockcount' },
    { method: 'getbestblockhash' },
    { method: 'getblockhash', parameters: [1000] },
  ]);
  assert.strictEqual(count, 101);
  assert.strictEqual(wrong.code, -8);
  const [mined] = await client.generateToAddress(1, 'bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080');
  assert.notStrictEqual(mined, best);
  await assert.rejects(client.getBlock('00'.repeat(32)), { code: -5 });
  await assert.rejects(
    new Client({ host, username, password: 'wrong', version: '0.19.1' }).getBlockCount(),
    { code: 401 },
  );

  const rest = new Client({ host, version: '0.19.1' });
  const block = await rest.getBlockByHash(mined, { extension: 'json' });
  assert.deepStrictEqual(block.tx.slice(1).map((tx) => tx.txid), [txid]);
  const bytes = await rest.getBlockByHash(mined, { extension: 'bin' });
  assert.strictEqual(bytes.toString('hex'), await client.getBlock(mined, 0));
  const headers = await rest.getBlockHeadersByHash(hash, 5, { extension: 'json' });
  assert.deepStrictEqual(headers.map(({ height }) => height), [7, 8, 9, 10, 11]);
  assert.strictEqual((await rest.getBlockchainInformation()).blocks, 102);
  const coins = await rest.getUnspentTransactionOutputs({ id: txid, index: 0 }, { extension: 'json' });
  assert.strictEqual(coins.utxos.length, 1);
  assert.strictEqual((await rest.getMemoryPoolInformation()).size, 0);
  assert.deepStrictEqual(Object.keys(await rest.getMemoryPoolContent()), []);
}

main().then(
  () => console.log('all well'),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
