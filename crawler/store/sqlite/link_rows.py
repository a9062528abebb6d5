"""Writes the links of a group of outcomes (results of pages): new URLs, URLs found
again, and links that a filter skips."""

from __future__ import annotations

from crawler.request import BUILT, Entry, encode_options
from crawler.stats import add
from crawler.store.base import DUPLICATE, Place, Rejected, is_built
from crawler.store.sqlite.write_batch import WriteBatch

#: Maximum number of skipped links that are stored; more are only counted.
REJECTED_LIMIT = 100_000
#: Number of rows of skipped links that are collected before they are written.
_MANY = 1_000

_INSERT_PENDING = "INSERT INTO pending VALUES(?, ?, ?, ?)"
_DELETE_PENDING = """DELETE FROM pending
    WHERE host = ? AND rank = ? AND depth = ? AND sequence = ?"""

_KNOWN = "SELECT 1 FROM seen WHERE seen.fingerprint = staged.fingerprint"
# Counts, for each URL, the repeated requests among those that a page has staged. The
# spider's first request for a new URL is no repetition, unless a link came before it.
_AGAIN = f"""SELECT fingerprint, times, parent, callback FROM (
        SELECT fingerprint, parent, callback, again - (
            NOT EXISTS ({_KNOWN}) AND (
                found_as = '{BUILT}'
                OR found_as IN (SELECT number FROM words WHERE word = '{BUILT}')
            )) AS times
        FROM staged_urls AS staged NOT INDEXED WHERE page = ? AND again > 0)
    WHERE times > 0"""
_UPDATE_DUPLICATE = """UPDATE duplicates
    SET times = times + ?, parent = ?, callback = ? WHERE fingerprint = ?"""
_INSERT_DUPLICATE = """INSERT INTO duplicates(times, parent, callback, fingerprint)
    VALUES(?, ?, ?, ?)"""
_LOWER = """SELECT staged.fingerprint, hosts.name, staged.depth, seen.sequence
    FROM staged_urls AS staged
    JOIN seen ON seen.fingerprint = staged.fingerprint
    JOIN urls ON urls.sequence = seen.sequence
    JOIN hosts ON hosts.number = urls.host
    WHERE page = ? AND staged.depth < urls.depth"""
# Copies links in the order in which they were staged; NULL becomes the next sequence
# number.
_LAND_URLS = f"""INSERT INTO urls
    SELECT NULL, fingerprint, host, url, callback, rank, depth, parent, found_as, ?,
        options, meta
    FROM staged_urls AS staged NOT INDEXED
    WHERE page = ? AND NOT EXISTS ({_KNOWN})"""
_LANDED = "SELECT fingerprint FROM urls WHERE sequence > ?"
_PLACES = """SELECT name, rank, depth, min(sequence)
    FROM urls JOIN hosts ON number = host
    WHERE sequence > ? GROUP BY host, rank, depth"""
_REJECTED = f"""SELECT fingerprint, url, rule, parent, found_as
    FROM staged_rejected AS staged NOT INDEXED
    WHERE page = ? AND NOT EXISTS ({_KNOWN})"""


class LinkRows:
    """Writes the requests and skipped links of committed outcomes."""

    def __init__(self, group: WriteBatch) -> None:
        self._group = group
        self._run = group.run
        self._connection = group.connection
        self._counters = group.committed.counters
        #: Whether requests that are equal to known ones are counted; false for values
        #: that `start()` yields a second time.
        self.has_duplicates = True

    def add(self, entry: Entry) -> None:
        """Write a request that a page yielded. The URL of the request may be new to the
        run, or already stored."""
        group, names = self._group, self._run.names
        fingerprint, depth, request = entry.fingerprint, entry.depth, entry.request
        known = group.sequence_of(fingerprint)
        if known:
            self._meet_again(fingerprint, entry.host, depth, known)
            if self.has_duplicates and is_built(entry):
                self._note_duplicates(fingerprint, 1, entry.parent, request.callback)
            return
        group.url = entry.sequence = sequence = group.url + 1
        host, rank = names.host(entry.host), -request.priority
        group.fresh[fingerprint] = sequence
        group.depths[fingerprint] = depth
        group.places.append((host, (rank, depth, sequence)))
        group.rows.urls.append(
            (
                sequence,
                fingerprint,
                host,
                request.url,
                names.word(request.callback),
                rank,
                depth,
                entry.parent,
                names.word(entry.found_as),
                int(group.now),
                encode_options(request.options) or "",
                request.encoded_meta or "",
            )
        )
        if entry.redirects or entry.attempt or entry.chain:
            group.set_tries(entry, sequence, 0.0)
        group.committed.added.append(entry)
        self._counters.found += 1
        if self._run.rejected or group.rejected:
            self._accept_after_all(fingerprint)

    def reject(self, rejected: Rejected) -> None:
        """Count a skipped link once in the run, and store it unless REJECTED_LIMIT
        links are stored."""
        group, run = self._group, self._run
        fingerprint, rule = rejected.fingerprint, rejected.rule
        if fingerprint in group.rejected or fingerprint in run.rejected:
            return
        if fingerprint in run.recent or group.sequence_of(fingerprint):
            return
        add(self._counters.skipped, rule)
        if len(run.rejected) + len(group.rejected) < REJECTED_LIMIT:
            group.rejected[fingerprint] = rule
            group.rows.rejected[fingerprint] = (
                fingerprint,
                rejected.url,
                run.names.word(rule),
                rejected.parent,
                run.names.word(rejected.found_as),
                int(group.now),
            )

    def add_staged(self, page: int) -> None:
        """Copy the requests that were staged before the page ended. SQL copies them, so
        that memory use stays small.

        Call `WriteBatch.index` before, because the log's indexes must be up to date,
        and after, because they do not contain the copied requests yet.
        """
        group, execute = self._group, self._connection.execute
        spelled = self._run.names.spelled
        for fingerprint, times, parent, callback in execute(_AGAIN, (page,)).fetchall():
            self._note_duplicates(fingerprint, times, parent, spelled(callback))
        for found in execute(_LOWER, (page,)).fetchall():
            self._meet_again(*found)
        before = group.url
        group.url += execute(_LAND_URLS, (int(group.now), page)).rowcount
        self._counters.found += group.url - before
        if self._run.rejected or group.rejected:
            for (fingerprint,) in execute(_LANDED, (before,)):
                self._accept_after_all(fingerprint)
        for host, rank, depth, sequence in execute(_PLACES, (before,)):
            self._stock(host, (rank, depth, sequence))

    def reject_staged(self, page: int) -> None:
        """Count the skipped links that the page with this fingerprint has staged
        (stored before its end), and store them for good."""
        group, spelled = self._group, self._run.names.spelled
        for fingerprint, url, rule, parent, found_as in self._connection.execute(
            _REJECTED, (page,)
        ):
            link = Rejected(fingerprint, url, spelled(rule), parent, spelled(found_as))
            self.reject(link)
            if len(group.rows.rejected) >= _MANY:
                group.rows.write()

    def write_duplicates(self) -> None:
        """Store by URL how many requests of this transaction were equal to known ones,
        for at most REJECTED_LIMIT URLs of the run."""
        for fingerprint, duplicate in self._group.duplicates.items():
            times, parent, callback = duplicate
            values = times, parent, self._run.names.word(callback), fingerprint
            if self._connection.execute(_UPDATE_DUPLICATE, values).rowcount:
                continue
            if self._group.duplicate_urls < REJECTED_LIMIT:
                self._group.duplicate_urls += 1
                self._connection.execute(_INSERT_DUPLICATE, values)

    def _note_duplicates(
        self, fingerprint: int, times: int, parent: int, callback: str
    ) -> None:
        """Count requests that are equal to a known one, and remember the last."""
        add(self._counters.skipped, DUPLICATE, times)
        earlier = self._group.duplicates.get(fingerprint, (0, 0, ""))[0]
        self._group.duplicates[fingerprint] = earlier + times, parent, callback

    def _stock(self, host: str, place: Place) -> None:
        """Record the position of an entry that is in the database, but not in the
        frontier in memory."""
        stocked = self._group.committed.stocked
        stocked[host] = min(place, stocked.get(host, place))

    def _meet_again(self, fingerprint: int, name: str, depth: int, known: int) -> None:
        """Handle a known URL that was found again: if the page is pending, it takes the
        lower depth."""
        group, sequence = self._group, known
        at = group.depths.get(fingerprint, self._run.recent.get(fingerprint))
        if at is not None and at <= depth:
            return
        host, rank, stored, _ = place = group.place_of(sequence)
        group.depths[fingerprint] = min(stored, depth)
        if stored <= depth or not group.is_pending(sequence, place):
            return
        if sequence > group.tail.mark:
            group.places.append((host, (rank, depth, sequence)))
        else:
            group.stirred.add(host)
            self._connection.execute(_DELETE_PENDING, place)
            self._connection.execute(_INSERT_PENDING, (host, rank, depth, sequence))
        self._connection.execute(
            "UPDATE urls SET depth = ? WHERE sequence = ?", (depth, sequence)
        )
        for added in group.committed.added:
            if added.sequence == sequence:
                added.depth = depth
        group.committed.lowered.append((fingerprint, name, depth))
        if name in group.committed.stocked:
            self._stock(name, (rank, depth, sequence))

    def _accept_after_all(self, fingerprint: int) -> None:
        """Remove a URL from the skipped links, because another page's link to it was
        accepted."""
        group = self._group
        rule = group.rejected.pop(fingerprint, None)
        if rule is None:
            rule = self._run.rejected.get(fingerprint)
            if rule is None:
                return
            group.accepted.add(fingerprint)
        add(self._counters.skipped, rule, -1)
        if group.rows.rejected.pop(fingerprint, None) is None:
            group.rows.rejected[fingerprint] = (
                fingerprint,
                "",
                0,
                0,
                0,
                int(group.now),
            )
