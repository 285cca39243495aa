"""What somebody sees of a wallet who opens its page in Chromium, while branches change places."""

import base64
import json
import pathlib
import time
import unittest
import urllib.request

from node import networked
from visitor import PHONE, SCREENSHOTS, SCREENS, VisitorTest

NOBODY = "raw(51)#8lvh9jxk"


class WalletsTest(VisitorTest):
    """A node whose wallet `alice` was paid 30 on the best branch; on the other the miner keeps it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node, cls.directory = networked("--rpcport", "0")
        cls.addClassCleanup(cls.directory.cleanup)
        cls.addClassCleanup(cls.node.stop)
        for wallet in ["miner", "alice"]:
            cls.call("createwallet", [wallet])
        cls.call("createwallet", ["cold & 100% sealed", False, False, "correct horse"])
        cls.call("generatetoaddress", [2, cls.call("getnewaddress", wallet="miner")])
        cls.call("generatetodescriptor", [101, NOBODY])
        fork = cls.call("getbestblockhash")
        to = cls.call("getnewaddress", ["rent & <i>food</i>"], "alice")
        cls.paid = cls.call("sendtoaddress", [to, 30], "miner")
        paid = cls.call("gettransaction", [cls.paid], "miner")["hex"]
        coin = cls.call("decoderawtransaction", [paid])["vin"][0]
        own = cls.call("getnewaddress", wallet="miner")
        raw = cls.call("createrawtransaction", [[{"txid": coin["txid"], "vout": coin["vout"]}], {own: 49.9}])
        other = cls.call("signrawtransactionwithwallet", [raw], "miner")["hex"]
        cls.first, cls.second = cls.block(fork, paid), cls.block(fork, other)

    @classmethod
    def call(cls, method, params=(), wallet=None):
        """What a method of JSON-RPC answers."""
        cookie = (pathlib.Path(cls.directory.name) / ".cookie").read_bytes().strip()
        where = cls.node.ready["rpc"]
        where = where if isinstance(where, str) else where[0]
        url = where.rstrip("/") + ("/" if wallet is None else f"/wallet/{wallet}")
        body = json.dumps({"method": method, "params": params, "id": 1}).encode()
        headers = {"Authorization": "Basic " + base64.b64encode(cookie).decode()}
        with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
            return json.load(answer)["result"]

    @classmethod
    def block(cls, parent, *transactions):
        """A block on any other; its hash."""
        params = {"output": NOBODY, "transactions": list(transactions), "at": parent}
        return cls.call("generateblock", params)["hash"]

    def all(self, page, attribute):
        """The values of an attribute on a page, in order."""
        script = "([name]) => Array.from(document.querySelectorAll(`[${name}]`), (node) => node.getAttribute(name))"
        return page.evaluate(script, [attribute])

    def states(self, page):
        """What becomes of the payment that is spent twice, in each world."""
        cells = page.query_selector_all(f"[data-payment='{self.paid}'] [data-state]")
        return [cell.get_attribute("data-state") for cell in cells]

    def press(self, page, button):
        """Presses a button that leads to another page."""
        with page.expect_navigation():
            page.click(f"text={button}")

    def test_the_balances_move_when_the_other_branch_wins_without_a_reload(self):
        page = self.visit("wallet/alice")
        self.assertEqual(self.all(page, "data-spendable"), ["30.00000000", "0.00000000"])
        self.assertEqual(self.states(page), ["confirmed", "conflicted"])
        self.assertEqual(self.all(page, "data-warning"), [self.second])
        page.evaluate("window.stayed = true")
        page.fill("form.new input[name=label]", "half a word")
        tip = self.block(self.second)
        page.wait_for_selector(".sums[data-balance='0.00000000']", timeout=10_000)
        self.assertEqual(self.all(page, "data-spendable"), ["0.00000000", "30.00000000"])
        self.assertEqual(self.states(page), ["conflicted", "confirmed"])
        self.assertEqual(self.all(page, "data-warning"), [])
        # And back, for the other tests.
        self.call("invalidateblock", [tip])
        page.wait_for_selector(".sums[data-balance='30.00000000']", timeout=10_000)
        self.assertTrue(page.evaluate("window.stayed"))
        self.assertEqual(page.input_value("form.new input[name=label]"), "half a word")
        self.assert_well_behaved(page)

    def test_a_new_address_has_a_code_that_a_camera_could_read(self):
        page = self.visit("wallet/alice")
        page.fill("form.new input[name=label]", "invoice 7")
        self.press(page, "New address")
        address = self.all(page, "data-address")[0]
        known = self.call("getaddressinfo", [address], "alice")
        self.assertTrue(known["ismine"])
        self.assertEqual(known["labels"], ["invoice 7"])
        page.fill("form.fields input[name=amount]", "0.5")
        self.press(page, "Put into the code")
        self.assertEqual(self.all(page, "data-uri"), [f"bitcoin:{address}?amount=0.5&label=invoice%207"])
        # Dark squares on a white ground, whatever the page's colours.
        dark = self.visit(f"wallet/alice?address={address}", color_scheme="dark")
        colours = dark.evaluate(
            "Array.from(document.querySelectorAll('.qr > *'), (part) => getComputedStyle(part).fill)"
        )
        self.assertEqual(colours, ["rgb(255, 255, 255)", "rgb(0, 0, 0)"])
        box = dark.query_selector(".qr").bounding_box()
        self.assertGreater(box["width"], 180)
        self.assert_well_behaved(dark)

    def test_a_payment_that_comes_is_seen_at_once(self):
        page = self.visit("wallets")
        row = "tr[data-wallet='alice']"
        before = page.inner_text(row)
        to = self.call("getnewaddress", wallet="alice")
        paid = self.call("sendtoaddress", [to, 1.25], "miner")
        page.wait_for_function("([row, before]) => document.querySelector(row).innerText !== before", arg=[row, before])
        with page.expect_navigation():
            page.click(f"{row} a")
        self.assertIn(paid, self.all(page, "data-payment"))
        self.assertIn("pending", self.all(page, "data-state"))
        self.assert_well_behaved(page)

    def test_a_payment_is_shown_before_it_is_sent(self):
        page = self.visit("wallet/miner", java_script_enabled=False)
        self.press(page, "Pay from this wallet")
        self.assert_well_behaved(page)
        to = self.call("getnewaddress", wallet="alice")
        page.fill("input[name=address]", to)
        page.fill("input[name=amount]", "0.25")
        page.fill("input[name=fee_rate]", "3")
        page.select_option("select[name=scope]", "best")
        self.press(page, "Show the payment")
        self.assertIn(to, self.all(page, "data-output"))
        txid = self.all(page, "data-draft")[0]
        self.assertNotIn(txid, self.call("getrawmempool"))
        self.assert_well_behaved(page)
        page.screenshot(path=SCREENSHOTS / "wallet-payment.png", full_page=True)
        self.press(page, "Send it")
        self.assertIn(txid, self.call("getrawmempool"))
        self.assertIn(txid, self.all(page, "data-payment"))

    def test_foreign_words_are_text_and_everything_fits_every_screen(self):
        for name, screen in SCREENS.items():
            for path in ["wallets", "wallet/alice", "wallet/cold%20%26%20100%25%20sealed"]:
                page = self.visit(path, **screen)
                page.wait_for_selector("#live")
                self.assertEqual(page.query_selector_all("main b b, main td i i, h1 b"), [])
                self.assert_well_behaved(page)
                picture = path.replace("/", "-").split("%")[0]
                page.screenshot(path=SCREENSHOTS / f"{picture}-{name}.png", full_page=True)

    def test_without_scripts_all_of_it_is_there(self):
        page = self.visit("wallet/alice", java_script_enabled=False, **PHONE)
        self.assertIn("Load the page again", page.inner_text(".follow"))
        self.assertEqual(len(page.query_selector_all(".cards li")), 2)
        self.press(page, "New address")
        self.assertTrue(page.query_selector(".qr").is_visible())

    def test_a_locked_wallet_says_so(self):
        page = self.visit("wallets")
        self.press(page, "cold")
        self.assertIn("signs nothing", page.inner_text(".head"))
        self.assertEqual(self.all(page, "data-lock"), ["locked"])
        self.assert_well_behaved(page)


if __name__ == "__main__":
    unittest.main()
