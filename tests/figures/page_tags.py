"""Read pages as a browser does, to see that tags nest and nothing is loaded."""

from html.parser import HTMLParser

VOID = {"meta", "br", "hr", "img", "link"}


class Tags(HTMLParser):
    """Checks that tags nest; keeps text by the last heading."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.outside = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in VOID:
            self.open.append(tag)
        self.outside += [v for k, v in attributes if k in ("src", "href") and not v.startswith("#")]

    def handle_startendtag(self, tag, attributes):
        self.outside += [v for k, v in attributes if k in ("src",)]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)
