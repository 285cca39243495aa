"""What somebody sees of the network who opens the page in Chromium, while peers come, go and are kept away."""

import re
import time
import unittest

from node import networked
from stranger import Stranger, best_chain
from visitor import PHONE, SCREENSHOTS, SCREENS, VisitorTest

# Seconds for a block: slow enough that the page tells of the sync on the way.
PACE = 0.03
HOSTILE = "/<script>document.title='taken'</script>(&amp;):" + "very-long-" * 20 + "/"
# Only the characters that Bitcoin Core lets pass are kept of it.
KEPT = re.sub(r"[^a-zA-Z0-9 .,;_/:?@()-]", "", HOSTILE)
# Writes down what the page says of the sync, each time that it changes.
WATCH = """() => {
  window.phases = [];
  window.shares = [];
  const look = () => {
    const phase = document.querySelector("[data-phase]").dataset.phase;
    if (window.phases.at(-1) !== phase) window.phases.push(phase);
    const bar = document.querySelector("progress");
    if (bar && window.shares.at(-1) !== bar.value) window.shares.push(bar.value);
  };
  look();
  new MutationObserver(look).observe(document.getElementById("live"), { childList: true, subtree: true });
}"""


class PeersTest(VisitorTest):
    """Two nodes of which the other calls the one that is looked at; each test begins with nobody connected."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.node, cls.directory = networked()
        cls.other, cls.other_directory = networked()
        cls.address = cls.node.ready["p2p"][0]

    @classmethod
    def tearDownClass(cls):
        for node, directory in [(cls.node, cls.directory), (cls.other, cls.other_directory)]:
            node.stop()
            directory.cleanup()
        super().tearDownClass()

    def tearDown(self):
        for ban in self.node.ask("ban", "--list")["bans"]:
            self.node.ask("ban", "--remove", ban["subnet"])
        for peer in self.node.ask("peers")["peers"]:
            self.node.ask("disconnect", str(peer["id"]))
        self.until(lambda: not self.other.ask("peers")["peers"])

    def until(self, holds, seconds=30):
        """Waits until something holds."""
        end = time.monotonic() + seconds
        while not holds():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)

    def call(self):
        """Lets the other node call the one that is looked at."""
        self.other.ask("addpeer", self.address, "--once")

    def stranger(self, agent=HOSTILE):
        """Lets a stranger call it."""
        stranger = Stranger(self.address, agent)
        self.addCleanup(stranger.leave)
        return stranger

    def connected(self):
        """The only peer, once it is there."""
        self.until(lambda: self.node.ask("peers")["peers"])
        [peer] = self.node.ask("peers")["peers"]
        return peer

    def test_peers_appear_and_leave_without_reload(self):
        page = self.visit("peers")
        page.wait_for_selector("html.script")
        page.evaluate("window.stillTheSamePage = true")
        self.assertTrue(page.get_by_text("Nobody yet.").is_visible())
        self.call()
        row = page.locator("tr[data-peer]")
        row.wait_for()
        peer = self.connected()
        self.assertEqual(row.get_attribute("data-peer"), str(peer["id"]))
        words = row.text_content()
        for expected in [peer["address"], "inbound", "v2", "/Everett:"]:
            self.assertIn(expected, words)
        self.assertIn("0 that this node called, 1 that called it", page.locator("main").text_content())
        page.get_by_text("added by hand", exact=False).first.wait_for()
        # It is sent away.
        self.node.ask("disconnect", str(peer["id"]))
        page.get_by_text("Nobody yet.").wait_for()
        # The other way round the page says who was called, and who was added by hand.
        there = self.other.ready["p2p"][0]
        self.node.ask("addpeer", there)
        row.wait_for()
        self.assertIn("manual", row.text_content())
        self.assertIn(there, page.locator("dl").first.text_content())
        self.node.ask("disconnect", there)
        page.get_by_text("Nobody yet.").wait_for()
        self.assertTrue(page.evaluate("window.stillTheSamePage"))
        self.assert_well_behaved(page)

    def test_a_ban_appears_ends_the_connection_and_is_lifted(self):
        self.call()
        page = self.visit("peers")
        page.locator("tr[data-peer]").wait_for()
        self.node.ask("ban", "127.0.0.0/8", "--for", "2h")
        page.locator("tr[data-ban='127.0.0.0/8']").wait_for()
        page.get_by_text("Nobody yet.").wait_for()
        # Who is banned stays away.
        self.call()
        time.sleep(1)
        self.assertEqual(page.locator("tr[data-peer]").count(), 0)
        self.node.ask("ban", "--remove", "127.0.0.0/8")
        page.locator("[data-ban]").wait_for(state="detached")
        self.assertTrue(page.get_by_text("keeps an address or a subnet away").is_visible())
        self.call()
        page.locator("tr[data-peer]").wait_for()
        self.assert_well_behaved(page)

    def test_a_peer_is_opened_with_the_keyboard_and_says_what_is_known_of_it(self):
        self.call()
        peer = self.connected()
        page = self.visit("peers")
        link = page.locator("tr[data-peer] a")
        link.wait_for()
        for _ in range(20):
            page.keyboard.press("Tab")
            if link.evaluate("link => link === document.activeElement"):
                break
        # It keeps the focus while the page moves.
        [_] = self.node.mine()
        self.until(lambda: page.locator(".second .big").text_content() == "1")
        self.assertTrue(link.evaluate("link => link === document.activeElement"))
        outline = link.evaluate("link => getComputedStyle(link).outlineStyle")
        self.assertNotEqual(outline, "none")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/admin/peer/{peer['id']}")
        words = page.locator("main").text_content()
        for expected in [peer["address"], "It called this node", "encrypted", peer["session_id"], "/Everett:"]:
            self.assertIn(expected, words)
        for name in ["version", "verack", "ping"]:
            self.assertEqual(page.locator(f"tr[data-message='{name}']").count(), 1, name)
        self.assert_well_behaved(page)
        # Once it has gone, the page says so and leads back.
        self.node.ask("disconnect", str(peer["id"]))
        self.until(lambda: not self.node.ask("peers")["peers"])
        self.assertEqual(page.reload().status, 404)
        page.locator("nav").get_by_text("Peers").click()
        page.wait_for_url("**/admin/peers")

    def test_the_sync_is_followed_to_its_end(self):
        new, directory = networked()
        self.addCleanup(directory.cleanup)
        self.addCleanup(new.stop)
        blocks = best_chain()
        page = self.visit("peers", web=new.web)
        page.wait_for_selector("html.script")
        page.evaluate(WATCH)
        self.assertEqual(page.locator("[data-phase]").get_attribute("data-phase"), "waiting")
        stranger = Stranger(new.ready["p2p"][0], "/slow:1/", blocks, PACE)
        self.addCleanup(stranger.leave)
        page.wait_for_selector("progress")
        page.screenshot(path=SCREENSHOTS / "peers-syncing.png")
        page.wait_for_selector("[data-phase='synced']", timeout=120_000)
        phases, shares = page.evaluate("[window.phases, window.shares]")
        self.assertEqual(phases[0], "waiting")
        self.assertEqual(phases[-2:], ["blocks", "synced"])
        self.assertEqual(shares, sorted(shares))
        self.assertGreater(len(shares), 2)
        print(f"the page told of {len(shares)} steps ", end="")
        self.assertEqual(page.locator(".second .big").text_content(), f"{len(blocks):,}")
        self.assertEqual(page.locator("progress").count(), 0)
        self.assert_well_behaved(page, new.web)

    def test_what_a_stranger_calls_itself_is_text(self):
        stranger = self.stranger()
        page = self.visit("peers")
        row = page.locator("tr[data-peer]")
        row.wait_for()
        self.assertEqual(row.locator(".cut").get_attribute("title"), KEPT)
        self.assertIn("v1", row.text_content())
        self.assert_well_behaved(page)
        peer = self.visit(f"peer/{row.get_attribute('data-peer')}")
        self.assertIn(KEPT, peer.locator("main").text_content())
        self.assertIn("in the clear", peer.locator("main").text_content())
        self.assertEqual(peer.locator("main script, main img").count(), 0)
        self.assert_well_behaved(peer)
        stranger.leave()
        row.wait_for(state="detached")

    def test_they_can_be_read_without_scripts(self):
        self.call()
        peer = self.connected()
        page = self.visit("peers", java_script_enabled=False)
        self.assertIn(peer["address"], page.locator("tr[data-peer]").text_content())
        self.assertTrue(page.get_by_text("Load the page again to see what is new.").is_visible())
        page.locator("tr[data-peer] a").click()
        self.assertIn("What is known of it", page.locator("main").text_content())

    def test_every_page_of_peers_fits_every_screen(self):
        self.call()
        self.stranger()
        self.node.ask("addpeer", "[fd11:1111:2222:3333:4444:5555:6666:7777]:18444")
        self.addCleanup(self.node.ask, "disconnect", "[fd11:1111:2222:3333:4444:5555:6666:7777]:18444")
        for subnet in ["192.0.2.0/24", "2001:db8:aaaa:bbbb:cccc:dddd:eeee:ffff"]:
            self.node.ask("ban", subnet)
        self.until(lambda: len(self.node.ask("peers")["peers"]) == 2)
        peers = self.node.ask("peers")["peers"]
        ids = {("peer-" + peer["transport"]): f"peer/{peer['id']}" for peer in peers}
        narrow = {**PHONE, "viewport": {"width": 320, "height": 700}, "color_scheme": "light"}
        for screen, options in {**SCREENS, "narrow": narrow}.items():
            for name, path in {"peers-many": "peers", **ids}.items():
                with self.subTest(screen=screen, page=name):
                    page = self.visit(path, **options)
                    page.wait_for_load_state("load")
                    page.evaluate("document.fonts.ready")
                    self.assert_well_behaved(page)
                    page.screenshot(path=SCREENSHOTS / f"{name}-{screen}.png", full_page=True)
                    page.context.close()


if __name__ == "__main__":
    unittest.main()
