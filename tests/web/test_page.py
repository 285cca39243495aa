"""What somebody sees who opens the page in Chromium."""

import contextlib
import socket
import time
import unittest

from playwright.sync_api import Error

from node import Node, rows, sixty_forks, whole
from visitor import DESKTOP, SCREENSHOTS, SCREENS, VisitorTest
# Pages that may follow at once, see docs/src/web.md.
MAX_FOLLOWERS = 64
FREE_PORT = ("--webui", "127.0.0.1:0")

# Words in a row of the picture that lie on each other.
OVERLAPS = """() => {
  const found = [];
  for (const row of document.querySelectorAll(".worlds .tip, .worlds .heads")) {
    const words = Array.from(row.querySelectorAll("text"), (text) => [text.textContent, text.getBoundingClientRect()]);
    const shown = words.filter(([, box]) => box.width > 0).sort(([, a], [, b]) => a.left - b.left);
    for (let i = 1; i < shown.length; i++) {
      if (shown[i][1].left < shown[i - 1][1].right + 2) found.push([shown[i - 1][0], shown[i][0]]);
    }
  }
  return found;
}"""


class PageTest(VisitorTest):
    """One node on the chain of sixty forks, one browser; each test has a visit of its own."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node, cls.directory = sixty_forks(*FREE_PORT)
        cls.tips = whole("chaintips.json")
        cls.conflicts = whole("conflicts.json")

    @classmethod
    def tearDownClass(cls):
        cls.node.stop()
        cls.directory.cleanup()
        super().tearDownClass()

    def own_node(self):
        """A node on the same chain for a test that makes blocks."""
        node, directory = sixty_forks(*FREE_PORT)
        self.addCleanup(directory.cleanup)
        self.addCleanup(node.stop)
        return node

    def losing_transaction(self):
        """A transaction that only a losing branch holds, with the tip of that branch."""
        best = self.tips[0]["hash"]
        for fork in self.conflicts:
            if fork["tip_b"] == best and fork["conflicts"]:
                return fork["conflicts"][0]["spent_in_a"][0], fork["tip_a"]
        raise AssertionError("no conflict with the best branch")

    def test_the_picture_shows_every_tip(self):
        page = self.visit()
        shown = page.locator("svg [data-tip]").evaluate_all("tips => tips.map(tip => tip.dataset.tip)")
        expected = {tip["hash"] for tip in self.tips}
        self.assertEqual((len(shown), set(shown)), (61, expected))
        # Each has a place of its own, within the picture.
        # All at once: the picture may be made anew between two questions.
        places = page.locator("svg [data-tip] circle").evaluate_all(
            "marks => marks.map(mark => mark.getBoundingClientRect()).map(box => [box.x, box.y])"
        )
        self.assertEqual(len({tuple(place) for place in places}), 61)
        # Pointing at one tells what it is, and what it spends otherwise.
        title = page.locator("svg [data-tip] title").first.text_content()
        self.assertIn("The best world", title)
        txid, tip = self.losing_transaction()
        self.assertIn("spent otherwise", page.locator(f"[data-tip='{tip}'] title").text_content())
        self.assert_well_behaved(page)

    def test_a_block_that_arrives_appears_without_reload(self):
        node = self.own_node()
        page = self.visit(web=node.web)
        page.wait_for_selector("html.script")
        page.evaluate("window.stillTheSamePage = true")
        before = int(page.locator("[data-height]").get_attribute("data-height"))
        times = []
        for number in range(1, 4):
            started = time.monotonic()
            [mined] = node.mine()
            page.wait_for_selector(f"[data-best='{mined}'][data-height='{before + number}']")
            times.append(time.monotonic() - started)
            page.wait_for_selector(f"[data-tip='{mined}'].fresh")
        print(f"from the call to the page: {', '.join(f'{seconds * 1000:.0f} ms' for seconds in times)} ", end="")
        # So does a rival to it.
        count = page.locator("[data-tip]").count()
        [rival] = node.mine(parent=self.tips[0]["hash"])
        page.wait_for_selector(f"[data-tip='{rival}'].rival")
        self.assertEqual(page.locator("[data-tip]").count(), count + 1)
        self.assertTrue(page.evaluate("window.stillTheSamePage"))
        self.assertEqual(page.title(), f"{before + 3} · Everett")
        self.assert_well_behaved(page, node.web)
        page.screenshot(path=SCREENSHOTS / "start-with-new-blocks.png")

    def test_a_branch_that_becomes_invalid_is_crossed_out(self):
        node = self.own_node()
        page = self.visit(web=node.web)
        page.wait_for_selector("html.script")
        best, rival = self.tips[0]["hash"], self.tips[1]["hash"]
        node.invalidate(rival)
        page.wait_for_selector(f"[data-tip='{rival}'].invalid")
        # The best world goes back to where the next one takes over: a shorter chain.
        node.invalidate(best)
        page.wait_for_selector(f"[data-tip='{best}'].invalid")
        # It is no world any more, and has no conflicts; the block below it is one instead of it.
        self.assertEqual(page.locator(".now .second .big").text_content(), "60")
        self.assertEqual(page.locator(f"[data-tip='{rival}'] .c-clash").count(), 0)
        self.assertLess(int(page.locator("[data-height]").get_attribute("data-height")), self.tips[0]["height"])
        self.assert_well_behaved(page, node.web)
        for width in (1600, 1280, 1100, 970, 950, 800, 720, 700, 390, 360, 320):
            page.set_viewport_size({"width": width, "height": 900})
            self.assertEqual(page.evaluate(OVERLAPS), [], width)
            self.assert_well_behaved(page, node.web)
            page.screenshot(path=SCREENSHOTS / f"start-invalid-{width}.png")
        page.set_viewport_size(DESKTOP)
        page.locator(f"[data-tip='{best}']").click()
        page.wait_for_url(f"**/admin/block/{best}")
        self.assertIn("invalid", page.locator("main").text_content())
        page.screenshot(path=SCREENSHOTS / "block-invalid.png")

    def test_the_search_finds_a_transaction_on_a_losing_branch(self):
        txid, tip = self.losing_transaction()
        page = self.visit()
        page.get_by_role("searchbox").fill(txid)
        page.get_by_role("searchbox").press("Enter")
        page.wait_for_url(f"**/admin/tx/{txid}")
        self.assertIn("not in the best one", page.locator("main").text_content())
        worlds = page.locator("tr[data-world]").evaluate_all("rows => rows.map(row => row.dataset.world)")
        self.assertIn(tip, worlds)
        self.assertNotIn(self.tips[0]["hash"], worlds)
        self.assertGreater(page.locator("tr[data-rival]").count(), 0)
        self.assert_well_behaved(page)
        page.screenshot(path=SCREENSHOTS / "transaction-light.png", full_page=True)

    def test_a_script_has_different_balances_in_two_worlds(self):
        tips = {tip["hash"] for tip in self.tips}
        by_script = {}
        for row in rows("balances.jsonl"):
            if row["tip"] in tips:
                by_script.setdefault(row["address"] or row["script"], {})[row["tip"]] = row["balance_sat"]
        name, balances = max(by_script.items(), key=lambda item: len(set(item[1].values())))
        page = self.visit(f"script/{name}")
        shown = {}
        for row in page.locator("tr[data-world]").all():
            amount = row.locator("td[data-balance] .btc").first.text_content()
            whole_part, decimals = amount.replace(",", "").split(".")
            shown[row.get_attribute("data-world")] = int(whole_part) * 100_000_000 + int(decimals)
        self.assertGreater(len(set(balances.values())), 1)
        for tip, balance in balances.items():
            self.assertEqual(shown[tip], balance, tip)
        self.assert_well_behaved(page)
        # The coins of a world that is not the best one.
        rival = self.tips[1]["hash"]
        page.locator(f"tr[data-world='{rival}'] a[href*='world=']").click()
        page.wait_for_url("**/admin/script/*world=*")
        self.assertIn(f"Coins in the world at {self.tips[1]['height']}", page.locator("#coins h2").text_content())

    def test_a_login_is_required_when_configured(self):
        node = Node("lab", *FREE_PORT, "--user", "ann:secret")
        self.addCleanup(node.stop)
        login = {"username": "ann", "password": "secret"}
        page = self.visit(web=node.web, http_credentials=login)
        self.assertEqual(page.locator("[data-tip]").count(), 3)
        page.wait_for_selector("html.script")
        # Live updates carry the login, too.
        [mined] = node.mine()
        page.wait_for_selector(f"[data-best='{mined}']")
        page.screenshot(path=SCREENSHOTS / "lab-light.png", full_page=True)
        # Last, for after too many of these even the right one has to wait.
        for login in (None, {"username": "ann", "password": "guess"}):
            context = self.browser.new_context(http_credentials=login)
            self.addCleanup(context.close)
            self.assertEqual(context.request.get(node.web).status, 401)
            # Without a login to try, the browser would ask for one; nobody is there to answer.
            with contextlib.suppress(Error):
                self.assertEqual(context.new_page().goto(node.web).status, 401)

    def test_it_can_be_read_without_scripts(self):
        page = self.visit(java_script_enabled=False)
        self.assertGreaterEqual(page.locator("svg [data-tip]").count(), 61)
        self.assertTrue(page.get_by_text("Load the page again to see what is new.").is_visible())
        page.locator("nav").get_by_text("Conflicts").click()
        self.assertGreaterEqual(page.locator("tr[data-world]").count(), 60)
        page.locator("tr[data-world] a.clash").first.click()
        self.assertGreater(page.locator("tr[data-conflict]").count(), 0)

    def test_the_picture_can_be_walked_with_the_keyboard(self):
        node = self.own_node()
        page = self.visit(web=node.web)
        first = page.locator("svg [data-tip]").first
        for _ in range(20):
            page.keyboard.press("Tab")
            if first.evaluate("tip => tip === document.activeElement"):
                break
        self.assertTrue(first.evaluate("tip => tip === document.activeElement"))
        page.keyboard.press("Tab")
        second = page.locator("svg [data-tip]").nth(1)
        self.assertTrue(second.evaluate("tip => tip === document.activeElement"))
        # The focus stays where it is when the picture moves.
        focused = second.get_attribute("data-tip")
        [mined] = node.mine()
        page.wait_for_selector(f"[data-best='{mined}']")
        self.assertEqual(page.evaluate("document.activeElement.dataset.tip"), focused)
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/admin/block/{focused}")

    def test_it_comes_back_by_itself_when_the_node_does(self):
        node = Node("lab", *FREE_PORT)
        page = self.visit(web=node.web)
        page.wait_for_selector("html.script")
        node.stop()
        page.wait_for_selector("html.lost")
        address = node.web.removeprefix("http://").removesuffix("/admin/")
        node = Node("lab", "--webui", address)
        self.addCleanup(node.stop)
        page.wait_for_selector("html.script:not(.lost)", timeout=15_000)
        [mined] = node.mine()
        page.wait_for_selector(f"[data-best='{mined}']")

    def test_a_page_that_was_refused_its_news_gets_them_later(self):
        node = Node("lab", *FREE_PORT)
        self.addCleanup(node.stop)
        port = int(node.web.removesuffix("/admin/").rpartition(":")[2])
        others = []
        for _ in range(MAX_FOLLOWERS):
            other = socket.create_connection(("127.0.0.1", port))
            other.sendall(b"GET /admin/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b" 200 ", other.recv(64))
            others.append(other)
        page = self.visit(web=node.web)
        page.wait_for_selector("html.lost")
        for other in others:
            other.close()
        node.mine()  # the node notices with its next word to them
        page.wait_for_selector("html.script:not(.lost)", timeout=15_000)
        [mined] = node.mine()
        page.wait_for_selector(f"[data-best='{mined}']")

    def test_a_page_that_is_come_back_to_follows_again(self):
        node = Node("lab", *FREE_PORT)
        self.addCleanup(node.stop)
        page = self.visit(web=node.web)
        page.wait_for_selector("html.script")
        # As when the browser keeps a page that was left, and shows it again.
        page.evaluate("window.dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
        [mined] = node.mine()
        page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
        page.wait_for_selector(f"[data-best='{mined}']")

    def test_every_page_fits_every_screen(self):
        txid, tip = self.losing_transaction()
        script = whole("scripts.json")[0]["address"]
        pages = {
            "start": "",
            "block": f"block/{tip}",
            "height": "block/415",
            "transaction": f"tx/{txid}",
            "script": f"script/{script}",
            "conflicts": "conflicts",
            "between": f"conflicts?a={tip}",
            "peers": "peers",
            "nothing": "search?q=no such thing",
        }
        for screen, options in SCREENS.items():
            for name, path in pages.items():
                with self.subTest(screen=screen, page=name):
                    page = self.visit(path, **options)
                    page.wait_for_load_state("load")
                    page.evaluate("document.fonts.ready")
                    if name == "nothing":
                        # The browser notes the status, which is meant.
                        self.complaints = [text for text in self.complaints if "404" not in text]
                    self.assert_well_behaved(page)
                    page.screenshot(path=SCREENSHOTS / f"{name}-{screen}.png")
                    if name == "start" or "phone" in screen:
                        page.screenshot(path=SCREENSHOTS / f"{name}-{screen}-whole.png", full_page=True)
                    page.context.close()


if __name__ == "__main__":
    unittest.main()
