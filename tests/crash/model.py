# SPDX-License-Identifier: MIT
"""What a file may hold after a crash: the history of its bytes.

File notes each change when it is asked for, again when it is answered, and when a COMMIT is.  After
a crash a byte is what was stable last, or what any later change made of it; the length likewise.
"""


class Change:
    """A write of data at `at`, or, data being None, a cut to the length `at`."""

    def __init__(self, at, data):
        self.at, self.data, self.firm = at, data, False

    @property
    def end(self):
        return self.at if self.data is None else self.at + len(self.data)


def apply(content, change):
    at, data = change.at, change.data
    if data is None:
        del content[at:]
    if len(content) < at:
        content.extend(bytes(at - len(content)))
    if data is not None:
        content[at:at + len(data)] = data


def first_difference(got, want, at):
    """Where in two strings that begin at `at` of a file, and 16 bytes of each from there on."""
    i = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
    return "at %d found %s, expected %s" % (at + i, got[i:i + 16].hex() or "the end", want[i:i + 16].hex() or "the end")


class File:
    def __init__(self, content=b""):
        self.adopt(content)

    def adopt(self, content):
        """This is what it holds, for good."""
        self.stable, self.now, self.changes = bytearray(content), bytearray(content), []

    def asked(self, at, data):
        self.changes.append(Change(at, data))
        return self.changes[-1]

    def answered(self, change, firm):
        """firm: a later crash must show it."""
        change.firm = firm
        apply(self.now, change)

    def committed(self):
        for change in self.changes:
            apply(self.stable, change)
        self.changes = []

    def lengths(self):
        may = {len(self.stable)}
        for c in self.changes:
            new = {c.at} if c.data is None else {max(n, c.end) for n in may}
            may = new if c.firm else may | new
        return may

    def _may(self, a, b):
        """What [a, b) may be, no change beginning or ending inside."""
        may = [bytes(self.stable[a:b]).ljust(b - a, b"\0")]
        for c in self.changes:
            if c.data is None and c.at <= a:
                new = bytes(b - a)
            elif c.data is not None and c.at <= a and b <= c.end:
                new = bytes(c.data[a - c.at:b - c.at])
            else:
                continue
            may = [new] if c.firm else may + [new]
        return may

    def wrong(self, got):
        """None, or what the content `got` has that cannot be."""
        if len(got) not in self.lengths():
            return "%d bytes; may have %s; to what was written last it differs %s" % (
                len(got), sorted(self.lengths()), first_difference(got, bytes(self.now), 0))
        edges = {0, len(got), min(len(got), len(self.stable))}
        for c in self.changes:
            edges |= {min(c.at, len(got)), min(c.end, len(got))}
        edges = sorted(edges)
        for a, b in zip(edges, edges[1:]):
            may = self._may(a, b)
            if got[a:b] in may:
                continue
            for i in range(b - a):
                if got[a + i] not in {m[i] for m in may}:
                    return "at %d of %d found %s, expected %s (%d changes are not stable)" % (
                        a + i, len(got), got[a + i:b][:16].hex(), [m[i:i + 16].hex() for m in may], len(self.changes))
        return None
