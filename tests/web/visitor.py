"""A visitor with a browser of the tests, whom the page has to suit."""

import os
import pathlib
import unittest

from playwright.sync_api import sync_playwright

SCREENSHOTS = pathlib.Path(os.environ["EVERETT_SCREENSHOTS"])
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
SCREENS = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone-light": {**PHONE, "color_scheme": "light"},
    "phone-dark": {**PHONE, "color_scheme": "dark"},
}


class VisitorTest(unittest.TestCase):
    """One browser and one node, `node`, which the class of tests starts; each test has a visit of its own."""

    @classmethod
    def setUpClass(cls):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        cls.playwright = sync_playwright().start()
        cls.browser = cls.playwright.chromium.launch(
            executable_path=os.environ["CHROMIUM"], args=["--no-sandbox"]
        )

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.playwright.stop()

    def visit(self, path="", web=None, **options):
        """Opens a page as a new visitor; nothing may come from elsewhere, and nothing may be complained of."""
        web = web or self.node.web
        context = self.browser.new_context(**{"viewport": DESKTOP, **options})
        self.addCleanup(context.close)
        page = context.new_page()
        self.asked, self.complaints = [], []
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(web + path)
        return page

    def assert_well_behaved(self, page, web=None):
        """Everything came from the node, the browser has nothing to complain of, and the page fits its width."""
        origin = (web or self.node.web).removesuffix("/admin/")
        self.assertEqual([url for url in self.asked if not url.startswith(origin)], [])
        self.assertEqual(self.complaints, [])
        width = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        self.assertLessEqual(width[0], width[1], page.url)
